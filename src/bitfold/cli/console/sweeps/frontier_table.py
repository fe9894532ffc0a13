"""A frontier on the terminal: progress while it trains, and a table of its networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.table import Table
from rich.text import Text

from bitfold import experiments
from bitfold.cli.console.output import plain
from bitfold.cli.console.progress import log_listeners
from bitfold.cli.console.sweeps.sweep_progress import SweepProgress
from bitfold.cli.console.training_listeners import CommandListeners
from bitfold.experiments.frontiers.record import FIGURES

if TYPE_CHECKING:
    from rich.console import Console

    from bitfold.experiments import Frontier, FrontierEvent, FrontierPoint, SweepEvent


class FrontierProgress:
    """A listener that shows which network is trained, and the progress of each training.

    Args:
        console: where to print.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._training: CommandListeners | None = None
        self._table: SweepProgress | None = None

    def __call__(self, event: FrontierEvent) -> None:
        """Listen to a frontier."""
        if isinstance(event, experiments.SweepEvent):
            self._side_by_side(event)
        elif isinstance(event, experiments.PointStarted):
            self._close_table()
            config = event.config
            self._console.print(
                f"[{event.number}/{event.num_missing}] lambda {config.kolmogorov_weight}, "
                f"seed {config.seed}",
            )  # fmt: skip
            self._training = CommandListeners(
                config, log_listeners(config), quiet=self._console.quiet, draws=False
            )
        elif not isinstance(event, experiments.PointEnded) and self._training is not None:
            for listener in self._training.all:
                listener(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close_table()
        if self._training is not None:
            self._training.close()

    def _side_by_side(self, event: SweepEvent) -> None:
        if self._table is None:
            self._table = SweepProgress(self._console)
        self._table(event)

    def _close_table(self) -> None:
        """Remove the table of networks that are trained side by side: the rest is coding."""
        if self._table is not None:
            self._table.close()
            self._table = None


def print_table(found: Frontier, console: Console) -> None:
    """Print a row for each network by rising size, networks without a file last, and the best."""
    front, best = found.front(), found.best()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    has_psnr = found.record.is_regression
    for name in ("lambda", "seed", "bytes", "PSNR of the picture" if has_psnr else "wrong pixels"):
        table.add_column(name, justify="right")
    table.add_column("")
    for point in sorted(found.points, key=lambda p: (p.num_bytes is None, p.num_bytes or 0)):
        note = "front" if point in front else ""
        if point.num_bytes is None:
            note = f"no file: ended by {plain(point.status)}"
        elif point == best:
            note = "best"
        style = "bold" if point == best else ("" if point in front else "dim")
        table.add_row(
            str(point.kolmogorov_weight),
            str(point.seed),
            "" if point.num_bytes is None else f"{point.num_bytes:,}",
            _quality(point),
            Text(note),
            style=style,
        )
    console.print(table)
    if best is not None:
        console.print(f"best: {_rule(found)}", style="dim")
    if best is None and front:
        console.print(f"None of them is {_asked(found)}.")
    written = [*([] if best is None else [str(best.file)]), *(FIGURES if front else ())]
    for name in written:
        print_path(found.path / name, console)


def print_path(path: Path, console: Console) -> None:
    """Print a path on a line of its own, indented and not wrapped."""
    console.print(f"  {plain(path)}", soft_wrap=True)


def _quality(point: FrontierPoint) -> str:
    if point.error is None:
        return ""
    if point.psnr_db is not None:
        return experiments.psnr_text(point.psnr_db)
    return f"{100 * point.error:.2f} %"


def _rule(found: Frontier) -> str:
    """By what the best network is chosen, and where errors are measured."""
    goal = found.record.goal
    if goal.num_bytes is not None:
        rule = f"the least error {_asked(found)}"
    elif goal.error is not None:
        rule = f"the fewest bytes {_asked(found)}"
    else:
        rule = "the least bytes x error, of those with at most twice the least error"
    return f"{rule}; over the pixels of the whole picture"


def _asked(found: Frontier) -> str:
    goal = found.record.goal
    if goal.num_bytes is not None:
        return f"within {goal.num_bytes:,} bytes"
    return f"within an error of {goal.error:.4g}"
