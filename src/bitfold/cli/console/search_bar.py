"""A bar while the polytopes of a network are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from bitfold.polytopes import SearchProgress

# Shorter searches pass without a word.
_QUIET_SECONDS = 1.0


class SearchBar:
    """Shows operations, polytopes and an estimate of the time left, on a terminal.

    Args:
        console: the console to show it on; elsewhere than on a terminal nothing is shown.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, found: SearchProgress) -> None:
        """Listen to `bitfold.partition`."""
        if found.seconds < _QUIET_SECONDS or not self._console.is_terminal or self._console.quiet:
            return
        if self._bar is None:
            columns = (BarColumn(bar_width=24), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.add_task("")
            self._bar.start()
        left = "" if found.seconds_left is None else f", at least {found.seconds_left:.0f} s left"
        self._bar.update(
            self._bar.task_ids[0],
            completed=found.num_done,
            total=found.num_operations,
            description=f"{found.num_polytopes:,} polytopes{left}",
        )
