"""PSNR as text: one way to write it."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

from rich.console import Console
from rich.table import Table

import bitfold
from bitfold.cli.console.summary import _add_losses
from bitfold.runtime.display.decibels import psnr_of, psnr_text


def test_a_psnr_and_its_error_agree() -> None:
    """A tenth of the error is 10 dB more, and no error is exact."""
    assert math.isclose(psnr_of(1e-4), psnr_of(1e-3) + 10)
    assert psnr_text(psnr_of(0.0)) == "exact"
    assert psnr_text(psnr_of(math.nan)) == "nan dB"


def test_the_summary_says_of_equal_pictures_that_they_are() -> None:
    """The panel that ends the demo writes a PSNR as all others do."""
    table = Table.grid(padding=(0, 2))
    _add_losses(table, {"psnr_db": math.inf})
    _add_losses(table, {"psnr_db": 31.416, "task_loss": 0.5})
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as captured:
        console.print(table)
    words = captured.get().split()
    assert "exact" in words
    assert "31.42 dB" in captured.get()
    assert "0.50000" in words


def test_no_other_place_formats_decibels() -> None:
    """A number with decimals before dB stands in one file of the package."""
    root = Path(bitfold.__file__).parent
    by_hand = re.compile(r"\.\df(\}|\", \"| )? ?dB")
    found = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if by_hand.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["runtime/display/decibels.py"]
