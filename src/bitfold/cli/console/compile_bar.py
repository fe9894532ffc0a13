"""A bar while loops are compiled for the first time on a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from rich.console import Console


_TEXT = "Compiling loops, once on this machine"


class CompileBar:
    """Shows how many loops are compiled: a bar on a terminal, one line elsewhere.

    Nothing is shown until a loop has to be compiled.

    Args:
        console: the console to show it on.

    Attributes:
        num_compiled: loops that were compiled.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self.num_compiled = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def update(self, num_compiled: int, num_known: int) -> None:
        """Show that some loops of those that are known to be needed are compiled."""
        self.num_compiled = num_compiled
        if self._bar is None:
            self._bar = self._open()
        if self._console.is_terminal:
            self._bar.update(self._bar.task_ids[0], completed=num_compiled, total=num_known)

    def close(self) -> None:
        """Take the bar away."""
        # Rich prints an empty line when a bar stops that was never started.
        if self._bar is not None and self._console.is_terminal:
            self._bar.stop()

    def _open(self) -> Progress:
        columns = (
            TextColumn(_TEXT),
            BarColumn(bar_width=max(4, min(24, self._console.width - len(_TEXT) - 10))),
            TextColumn("{task.completed}/{task.total}"),
        )
        bar = Progress(*columns, console=self._console, transient=True)
        bar.add_task("", total=1)
        if self._console.is_terminal:
            bar.start()
        else:
            self._console.print(f"{_TEXT}.")
        return bar
