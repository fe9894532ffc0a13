"""The bar of compiling in terminals of several widths."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from bitfold.cli.console.compile_bar import CompileBar


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_bar_of_compiling_fits_the_terminal(width: int) -> None:
    """Its count of loops is shown in full."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, legacy_windows=False)
    with CompileBar(console) as bar:
        bar.update(12, 34)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", out.getvalue()).splitlines()
    assert any(line.rstrip().endswith("12/34") for line in lines)
    assert max(map(len, lines)) <= width
