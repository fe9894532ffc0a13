"""The bar of a training in terminals of several widths."""

from __future__ import annotations

import io
import math
import re
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from torch import nn

from bitfold.cli.console.fitted_line import quality
from bitfold.cli.console.progress import ProgressReport
from bitfold.training import EpochEnded, LoopsCompiled, Metrics, RunStarted

PLAIN: Metrics = {
    "combined_loss": 0.01234, "task_loss": 0.01234, "kolmogorov_loss": None,
    "kolmogorov_weight": None, "validation_loss": 0.02345, "psnr_db": 22.31,
}  # fmt: skip
WITH_K: Metrics = {
    **PLAIN, "combined_loss": 0.02, "kolmogorov_loss": 1.5, "kolmogorov_weight": 0.01,
}  # fmt: skip
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def bar_of(width: int, metrics: Metrics | None, *, epochs: int = 1000) -> str:
    """Return the last line that a two-hour training shows on a terminal after 400 epochs."""
    out, now = io.StringIO(), [0.0]
    console = Console(file=out, force_terminal=True, width=width, legacy_windows=False)
    report = ProgressReport(console, clock=lambda: now[0])
    run: Any = SimpleNamespace(path="RUN", config=SimpleNamespace(epochs=epochs))
    report(RunStarted(run, 0, nn.Identity()))
    for epoch in range(1, 401 if metrics else 1):
        now[0] += 12.0
        assert metrics is not None
        report(EpochEnded(epoch, metrics, has_frame=False))
    if metrics is None:
        report(LoopsCompiled(3, 12))
    report.close()
    return ANSI.sub("", out.getvalue()).split("\r")[-1].rstrip("\n").split("\n")[-1].rstrip()


@pytest.mark.parametrize(
    ("width", "plain", "with_k"),
    [
        (60, "2:00:00 left 22.31 dB", "2:00:00 left 22.31 dB"),
        (80, "2:00:00 left 22.31 dB task 0.01234 validation 0.02345",
         "2:00:00 left 22.31 dB task 0.01234 K 1.5000"),
        (100, "0.0833/s 2:00:00 left 22.31 dB task 0.01234 validation 0.02345",
         "2:00:00 left 22.31 dB task 0.01234 K 1.5000 validation 0.02345"),
        (120, "0.0833/s 2:00:00 left 22.31 dB task 0.01234 validation 0.02345",
         "2:00:00 left 22.31 dB task 0.01234 K 1.5000 combined 0.02000 validation 0.02345"),
        (160, "0.0833/s 2:00:00 left 22.31 dB task 0.01234 validation 0.02345",
         "0.0833/s 2:00:00 left 22.31 dB task 0.01234 K 1.5000 lambda*K 0.01500 combined 0.02000 "
         "validation 0.02345"),
    ],
)  # fmt: skip
def test_a_narrow_terminal_leaves_out_the_least_important_numbers(
    width: int, plain: str, with_k: str
) -> None:
    """A narrow terminal omits the least important numbers, cuts no line and omits an unused K."""
    for metrics, wanted in ((PLAIN, plain), (WITH_K, with_k)):
        line = bar_of(width, metrics)
        assert len(line) <= width
        assert line.startswith("epoch ")
        assert line.endswith(f" 400/1000 {wanted}")


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_long_training_and_compiling_fit_too(width: int) -> None:
    """Counts of seven digits leave out more numbers; compiling shows its count at 60 columns."""
    line = bar_of(width, WITH_K, epochs=1_000_000)
    assert len(line) <= width
    assert "400/1000000" in line
    assert "\N{HORIZONTAL ELLIPSIS}" not in line
    assert ("compiling loops: 3/12" in bar_of(width, None)) == (width >= 60)


def test_a_quality_without_an_error_is_exact() -> None:
    """Only an infinite PSNR is called exact."""
    assert quality({**PLAIN, "psnr_db": math.inf}) == "exact"
    assert quality({**PLAIN, "psnr_db": 110.0}) == "110.00 dB"
