"""A search for a small picture on the terminal: progress, and the panel at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.panel import Panel
from rich.table import Table

from bitfold import experiments
from bitfold.cli.console.output import cell
from bitfold.cli.console.progress import ProgressReport

if TYPE_CHECKING:
    from rich.console import Console

    from bitfold.experiments import Comparison, SearchEvent, Trial


class SearchProgress:
    """A listener that shows each trial of a search, and the progress of its training.

    Args:
        console: where to print.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._report: ProgressReport | None = None

    def __call__(self, event: SearchEvent) -> None:
        """Listen to a search."""
        if isinstance(event, experiments.TrialStarted):
            one = event.trial
            self._line(
                f"[{event.number}] {one.shape}, encoding {one.encoding}, lambda "
                f"{one.kolmogorov_weight:g}, {one.minutes:.1f} minutes"
            )
            self._report = ProgressReport(self._console)
        elif isinstance(event, experiments.TrialEnded):
            note = ", the best so far" if event.is_best else ""
            self._line(f"[{event.number}] {_told(event.trial)}{note}")
        elif self._report is not None:
            self._report(event)

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._report is not None:
            self._report.close()


def print_panel(comparison: Comparison, page: Path, console: Console) -> None:
    """Print bytes, PSNR and SSIM of the file and of other formats at its size, and all paths."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    for _ in range(3):
        table.add_column(justify="right")
    for one in comparison.rivals:
        if one.num_bytes is None or one.psnr_db is None:
            table.add_row(one.name, "none this small", "", "")
        else:
            quality = experiments.psnr_text(one.psnr_db), f"SSIM {one.ssim:.3f}"
            table.add_row(one.name, f"{one.num_bytes:,} bytes", *quality)
    found = comparison.found
    table.add_row()
    table.add_row("decoding", f"{1000 * comparison.decoding_seconds:.0f} ms", "", "")
    title = cell(Path(found.record.target).name)
    console.print(Panel(table, title=title, expand=False))
    if not found.reaches_goal:
        assert found.best is not None
        console.print(
            f"The goal was not reached: the nearest file has {_told(found.best)}. Give more "
            "--minutes, or another goal.",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    for path in (found.path, page):
        console.print(f"  {path}", markup=False, highlight=False, soft_wrap=True)


def _told(trial: Trial) -> str:
    return f"{trial.size:,} bytes, {trial.quality_text}"
