"""``bitfold audit`` and what ``bitfold train`` does when a gradient is cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn

from bitfold.cli.console.progress import LogFile
from bitfold.cli.main import main
from bitfold.training import Audited, RunEnded, load_run
from tests.cli.command_runs import nothing_drawn
from tests.training.training_runs import hard_binning

TRAIN = [
    "train", "ring", "--size", "16", "--shape", "[4]*2", "--points", "50", "--batch-size", "25",
    "--epochs", "3", "--snapshot-format", "none", "--frame-size", "64", "--kolmogorov-weight",
    "0.01", "--kolmogorov-bins", "16",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def undrawn() -> Iterator[None]:
    """Keep training from drawing frames."""
    with nothing_drawn():
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run whose gradients are right."""
    path = tmp_path_factory.mktemp("audit") / "run"
    assert main([*TRAIN, "-o", str(path), "--quiet"]) == 0
    return path


def test_audit_prints_the_table_and_exits_with_0(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``bitfold audit`` prints one row for each term and module, and nothing else."""
    assert main(["audit", str(trained)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:3] == ["term", "module", "verdict"]
    assert [line[:3] for line in lines[1:]] == [
        ["task", "network", "reaches"],
        ["task", "predictor", "independent"],
        ["K", "network", "reaches"],
        ["K", "predictor", "reaches"],
    ]


def test_audit_of_a_cut_exits_with_1(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An audit of a cut names the cut site and exits with 1; ``--quiet`` only exits with 1."""
    with hard_binning():
        assert main(["audit", str(trained)]) == 1
        assert "K -> network is cut at" in capsys.readouterr().out
        assert main(["audit", str(trained), "--quiet"]) == 1
    assert capsys.readouterr().out == ""


def test_train_with_a_cut_exits_with_6_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Training with a cut prints and logs the table and the reason, unless given ``--no-audit``."""
    path, log = tmp_path / "run", tmp_path / "log.txt"
    with hard_binning():
        assert main([*TRAIN, "-o", str(path), "--log-file", str(log)]) == 6
        out = capsys.readouterr().out
        assert main(["resume", str(path), "--no-audit", "--quiet"]) == 0
    for text in (out, log.read_text()):
        assert "K     network    cut" in text
        assert "K -> network is cut at" in text
        assert "that of K does not reach the network" in text
    assert len(load_run(path).metrics["epoch"]) == 3


def test_a_run_that_is_right_prints_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table of a correct run goes to the log and to ``audit.txt``, not to the terminal."""
    path, log = tmp_path / "run", tmp_path / "log.txt"
    assert main([*TRAIN, "-o", str(path), "--log-file", str(log)]) == 0
    assert "verdict" not in capsys.readouterr().out
    assert "gradients audited, before the first step" in log.read_text()
    assert "verdict" in (path / "audit.txt").read_text()


def test_the_log_holds_the_table_line_by_line(tmp_path: Path) -> None:
    """The log holds each line of the table, unchanged, below a line with the time."""
    log = LogFile(tmp_path / "log.txt")
    log(Audited(5, "K rose", True, "term  module\ntask  network"))
    first, *rest = (tmp_path / "log.txt").read_text().splitlines()
    assert first.endswith("gradients audited, K rose")
    assert rest == ["term  module", "task  network"]
    log(RunEnded(5, "completed", "done", 0, nn.Identity(), None))
