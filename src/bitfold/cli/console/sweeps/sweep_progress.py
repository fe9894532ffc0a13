"""A sweep on the terminal: a live table while it trains, and a summary at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.table import Table

from bitfold import experiments
from bitfold.cli.console.output import cell, plain
from bitfold.cli.console.progress import LogFile, time_left
from bitfold.cli.console.spelling import spell_options

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from bitfold.experiments import MemberEnd, Sweep, SweepEvent, SweepStarted

_MOST_RUNNING, _MOST_FAILED = 12, 5
_BAR = 20


class SweepProgress:
    """A listener that shows a live table on a terminal, and a line for each member elsewhere.

    Args:
        console: where to print.
        logs: files that get a line for each member.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        console: Console,
        logs: Sequence[LogFile] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._logs, self._clock = console, logs, clock
        self._live: Live | None = None
        self._started: SweepStarted | None = None
        self._begun_at = clock()
        self._running: dict[str, tuple[int, int]] = {}
        self._num_ended = self._num_failed = 0
        self._best: tuple[float, str] | None = None

    def __call__(self, event: SweepEvent) -> None:
        """Listen to a sweep."""
        if isinstance(event, experiments.SweepStarted):
            self._start(event)
        elif isinstance(event, experiments.MemberStarted):
            self._running[event.member.name] = (0, 0)
            self._log(f"{event.member.name}: started")
        elif isinstance(event, experiments.MemberAdvanced):
            self._running[event.member.name] = (event.epoch, event.epochs)
        else:
            self._end(event.member.name, event.end)
        if self._live is not None:
            self._live.update(self.table())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the table, and close the logs."""
        if self._live is not None:
            self._live.stop()
        for log in self._logs:
            log.close()

    def table(self) -> RenderableType:
        """Return what a terminal shows now."""
        rows = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        for name, (epoch, epochs) in list(self._running.items())[:_MOST_RUNNING]:
            filled = round(_BAR * epoch / epochs) if epochs else 0
            bar = "━" * filled + "─" * (_BAR - filled)
            rows.add_row(cell(name), bar, f"{epoch}/{epochs}" if epochs else "starting")
        more = len(self._running) - _MOST_RUNNING
        if more > 0:
            rows.add_row(f"and {more} more", "", "")
        best = [] if self._best is None else [cell(f"best so far: {self._best[1]}")]
        return Group(cell(self.line()), rows, *best)

    def line(self) -> str:
        """Return done, running and failed members and the time left, in a line."""
        total = 0 if self._started is None else self._started.num_missing
        done = sum(epoch / epochs for epoch, epochs in self._running.values() if epochs)
        done += self._num_ended
        words = [f"{self._num_ended} of {total} members done", f"{len(self._running)} running"]
        if self._num_failed:
            words.append(f"{self._num_failed} failed")
        elapsed = self._clock() - self._begun_at
        if 0 < done < total:
            words.append(time_left(elapsed * (total - done) / done))
        return ", ".join(words)

    def _start(self, event: SweepStarted) -> None:
        self._started, self._begun_at = event, self._clock()
        at_a_time = f", {event.jobs} at a time" if event.num_missing else ""
        line = f"Sweep in {plain(event.path)}: {event.num_missing} of {event.num_members} members"
        line += f" to train{at_a_time}"
        self._console.print(line, soft_wrap=True)
        self._log(line)
        if self._console.is_terminal and not self._console.quiet and event.num_missing:
            self._live = Live(self.table(), console=self._console, refresh_per_second=4)
            self._live.start()

    def _end(self, name: str, end: MemberEnd) -> None:
        self._running.pop(name, None)
        self._num_ended += 1
        self._num_failed += not end.is_completed
        line = f"{name}: {ending_line(end)}"
        if end.error is not None and (self._best is None or end.error < self._best[0]):
            self._best = end.error, line
        self._log(line)
        if self._live is None or not end.is_completed:
            total = 0 if self._started is None else self._started.num_missing
            self._console.print(f"[{self._num_ended}/{total}] {line}", soft_wrap=True)

    def _log(self, line: str) -> None:
        for log in self._logs:
            log.write(line)


def ending_line(end: MemberEnd) -> str:
    """Return how a member ended, in a line.

    >>> from bitfold.experiments import MemberEnd
    >>> ending_line(MemberEnd("completed", epochs=9, seconds=2.5, num_bytes=1234, psnr_db=31.5))
    'completed, 9 epochs, 2.5 s, 1,234 bytes, 31.50 dB'
    """
    if not end.is_completed:
        return f"{end.status}, {spell_options(end.reason)}"
    words = [end.status, f"{end.epochs} epochs", f"{end.seconds:.1f} s"]
    if end.num_bytes is not None:
        words.append(f"{end.num_bytes:,} bytes")
    if end.psnr_db is not None:
        words.append(experiments.psnr_text(end.psnr_db))
    elif end.error is not None:
        words.append(f"{100 * end.error:.2f} % wrong")
    return ", ".join(words)


def print_summary(found: Sweep, console: Console) -> None:
    """Print how many members are done, which are not and why, and what was written."""
    table = found.table
    counts = {status: table["status"].count(status) for status in dict.fromkeys(table["status"])}
    told = ", ".join(f"{number} {plain(status)}" for status, number in counts.items())
    console.print(f"{table.num_rows} members: {told}", soft_wrap=True)
    failed = [row for row in table.rows() if row["status"] not in ("completed", "missing")]
    for row in failed[:_MOST_FAILED]:
        line = f"  {row['member']}: {row['status']}, {spell_options(row['reason'])}"
        console.print(line, soft_wrap=True)
    if len(failed) > _MOST_FAILED:
        console.print(f"  and {len(failed) - _MOST_FAILED} more, in the table")
    console.print(f"  {plain(found.path / 'sweep.csv')}", soft_wrap=True)
    if found.missing:
        console.print(
            f"{len(found.missing)} members are left. Go on with: bitfold sweep -o "
            f"{plain(found.path)}",
            soft_wrap=True,
        )
