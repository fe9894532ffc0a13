"""The progress bar of compilation, on terminals of several widths and without a terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from bitfold.cli.console.compile_bar import CompileBar


def terminal(out: io.StringIO, width: int = 80) -> Console:
    """Return a terminal with a number of columns."""
    return Console(file=out, force_terminal=True, width=width, legacy_windows=False)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_bar_of_compiling_fits_the_terminal(width: int) -> None:
    """The bar shows its count of loops in full at each width."""
    out = io.StringIO()
    with CompileBar(terminal(out, width)) as bar:
        bar.update(12, 34)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", out.getvalue()).splitlines()
    assert any(line.rstrip().endswith("12/34") for line in lines)
    assert max(map(len, lines)) <= width


def test_the_bar_follows_both_numbers() -> None:
    """If the number of loops grows, the bar shows the last number."""
    with CompileBar(terminal(io.StringIO())) as bar:
        for compiled, known in ((0, 3), (2, 3), (3, 9)):
            bar.update(compiled, known)
            assert bar._bar is not None
            (task,) = bar._bar.tasks
            assert (task.completed, task.total) == (compiled, known)
    assert bar.num_compiled == 3
    assert bar._bar is not None
    assert not bar._bar.live.is_started


def test_one_line_is_printed_where_there_is_no_terminal() -> None:
    """Without a terminal, any number of loops prints one line without control characters."""
    out = io.StringIO()
    with CompileBar(Console(file=out, width=80)) as bar:
        for number in range(5):
            bar.update(number, 5)
    assert out.getvalue() == "Compiling loops, once on this machine.\n"
    assert bar.num_compiled == 4


@pytest.mark.parametrize("is_terminal", [True, False])
def test_nothing_is_shown_if_nothing_is_compiled(is_terminal: bool) -> None:
    """If no loop is compiled, no bar or line is printed and the cursor does not change."""
    out = io.StringIO()
    with CompileBar(Console(file=out, force_terminal=is_terminal, width=80)) as bar:
        pass
    assert out.getvalue() == ""
    assert bar.num_compiled == 0
