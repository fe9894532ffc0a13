"""What training prints: a bar on a terminal, plain lines elsewhere, and a log file."""

from __future__ import annotations

import contextlib
import datetime
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from bitfold import training
from bitfold.cli.console.fitted_line import Piece, fit_pieces, loss, loss_pieces, quality
from bitfold.cli.console.output import plain
from bitfold.cli.console.rates import RecentRate
from bitfold.cli.console.spelling import spell_options
from bitfold.errors import RunError
from bitfold.runtime.strangers.plain_files import open_plain
from bitfold.runtime.strangers.user_paths import absolute_path

if TYPE_CHECKING:
    from rich.console import Console

    from bitfold.training import Config, EpochEnded, Event, LoopsCompiled, Metrics, RunStarted

_REDRAW_SECONDS, _LINE_SECONDS = 0.1, 5.0
_WIDE = 140  # columns from which all numbers fit beside a long bar
_RATE_RANK = 7  # the first number that a narrow terminal leaves out


def losses_line(metrics: Metrics) -> str:
    """Return the losses of an epoch: combined, its task part, its lambda*K part, validation.

    Without K the task loss is all of the combined loss, and stands alone.

    >>> losses_line({"combined_loss": 0.5, "task_loss": 0.25, "kolmogorov_loss": 2.5,
    ...     "kolmogorov_weight": 0.1, "validation_loss": 0.3, "psnr_db": 5.2})
    'combined 0.50000 = task 0.25000 + lambda*K 0.25000 (K 2.5000), validation 0.30000, 5.20 dB'
    """
    text = f"task {loss(metrics['task_loss'])}"
    nats, weight = metrics["kolmogorov_loss"], metrics["kolmogorov_weight"]
    if nats is not None and weight is not None:
        text = f"combined {loss(metrics['combined_loss'])} = {text}"
        text += f" + lambda*K {weight * nats:.5f} (K {nats:.4f})"
    words = (text, f"validation {loss(metrics['validation_loss'])}", quality(metrics))
    return ", ".join(word for word in words if word)


def time_left(seconds: float) -> str:
    """Return a duration as a bar shows it.

    >>> time_left(75.2), time_left(3725)
    ('1:15 left', '1:02:05 left')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{clock} left"


class ProgressReport:
    """A listener that shows progress: a bar on a terminal, plain lines elsewhere.

    Rate and time left follow the last seconds of training. The first epoch, in which loops are
    compiled, is shown without them.

    Args:
        console: where to print.
        every_epoch: whether every epoch gets a plain line, instead of one line in five seconds.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        console: Console,
        *,
        every_epoch: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._every_epoch = every_epoch
        self._clock = clock
        self._bar: Progress | None = None
        self._has_named_compiling = False
        self._task = TaskID(0)
        self._before_bar = ""
        self._last = clock()
        self._rate = RecentRate(clock)
        self._epochs = 0

    def __call__(self, event: Event) -> None:
        """Listen to training."""
        if isinstance(event, training.EpochEnded):
            self._epoch(event)
        elif isinstance(event, training.RunStarted):
            self._begin(event)
        elif isinstance(event, training.LoopsCompiled):
            self._compiling(event)
        elif isinstance(event, training.Changed):
            self._follow(event.run.config.epochs)
        elif isinstance(event, training.Noticed):
            text = spell_options(event.message)
            self._console.print(text, style="yellow", soft_wrap=True)
        elif isinstance(event, training.Audited) and not event.is_ok:
            self._print(event.table)
        elif isinstance(event, training.RunEnded):
            self._stop_bar()
            self._print(spell_options(event.message))

    def _compiling(self, event: LoopsCompiled) -> None:
        """Show how far the loops are that training waits for; one line where there is no bar."""
        text = "compiling loops, once on this machine"
        # Later epochs are not as slow as one in which a loop is compiled.
        self._rate = RecentRate(self._clock)
        if self._bar is not None:
            number = f"{event.num_compiled}/{event.num_known}"
            self._show(Piece(f"compiling loops: {number}", 0), Piece("once on this machine", 1))
        elif event.num_compiled == 0 and not self._has_named_compiling:
            self._has_named_compiling = True
            self._print(f"{text}: some seconds")

    def drawing(self, drawn: int, total: int) -> None:
        """Show how many frames are drawn, while drawing goes on after training."""
        if not self._console.is_terminal:
            if self._clock() - self._last > _LINE_SECONDS:
                self._last = self._clock()
                self._print(f"drawing frames: {drawn} of {total}")
            return
        if self._bar is None:
            self._open_bar("drawing", max(1, total))
        assert self._bar is not None
        self._bar.update(self._task, completed=drawn, total=max(1, total), numbers="")

    def close(self) -> None:
        """Remove the bar."""
        self._stop_bar()

    def _begin(self, event: RunStarted) -> None:
        self._epochs = event.run.config.epochs
        self._rate = RecentRate(self._clock)
        self._print(f"{'Continuing' if event.epoch else 'Training'} in {plain(event.run.path)}")
        if self._console.is_terminal:
            self._open_bar("epoch", self._epochs, completed=event.epoch)

    def _follow(self, epochs: int) -> None:
        """Show another number of epochs."""
        self._epochs = epochs
        if self._bar is not None:
            self._bar.update(self._task, total=epochs)

    def _open_bar(self, what: str, total: int, completed: int = 0) -> None:
        self._before_bar = f"{what} "
        self._bar = Progress(
            TextColumn(what),
            BarColumn(bar_width=self._bar_width()),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=self._console,
            refresh_per_second=8,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=total, completed=completed, numbers="")

    def _show(self, *pieces: Piece, **changes: Any) -> None:
        """Show numbers beside the bar, as many as fit."""
        assert self._bar is not None
        task = self._bar.tasks[0]
        total = 2 * len(f"{task.total:.0f}") + 1
        room = self._console.width - len(self._before_bar) - self._bar_width() - total - 2
        self._bar.update(self._task, numbers=fit_pieces(pieces, room), **changes)

    def _bar_width(self) -> int:
        return 24 if self._console.width >= _WIDE else 10

    def _epoch(self, event: EpochEnded) -> None:
        now, rate = self._clock(), self._rate.observe(event.epoch)
        waited = now - self._last
        is_last = event.epoch == self._epochs
        if self._bar is not None and (waited > _REDRAW_SECONDS or is_last):
            self._last = now
            pieces = [*self._rate_pieces(rate, event.epoch), *loss_pieces(event.metrics)]
            self._show(*pieces, completed=event.epoch)
        elif self._bar is None and (self._every_epoch or waited > _LINE_SECONDS or is_last):
            self._last = now
            line = f"epoch {event.epoch}/{self._epochs}: {losses_line(event.metrics)}"
            if rate:
                left = (self._epochs - event.epoch) / rate
                line += f", {rate:.1f} epochs/s, {left:.0f} s left"
            self._print(line)

    def _rate_pieces(self, rate: float | None, epoch: int) -> list[Piece]:
        if not rate:
            return []
        left = time_left((self._epochs - epoch) / rate)
        return [Piece(f"{rate:.3g}/s", _RATE_RANK), Piece(left, 0)]

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)


class LogFile:
    """A listener that writes one line an epoch, with the time, into a file.

    Args:
        path: the file; lines are appended.
        is_plain: whether it must be a plain file, as a run's own must, and not a link or a device.

    Raises:
        RunError: the file cannot be written.
    """

    def __init__(self, path: Path, *, is_plain: bool = False) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            binary = open_plain(path, "ab") if is_plain else path.open("ab")
        except OSError as error:
            raise RunError(f"Cannot write log {path}: {error.strerror}.") from None
        self._file = io.TextIOWrapper(binary, encoding="utf-8")

    def __call__(self, event: Event) -> None:
        """Listen to training."""
        if isinstance(event, training.RunStarted):
            self.write(f"start in {plain(event.run.path)} after epoch {event.epoch}")
        elif isinstance(event, training.EpochEnded):
            self.write(f"epoch {event.epoch}: {losses_line(event.metrics)}")
        elif isinstance(event, training.Noticed | training.RunEnded):
            self.write(spell_options(event.message))
        elif isinstance(event, training.Audited):
            self.write(f"gradients audited, {event.occasion}\n{event.table}")
        if isinstance(event, training.RunEnded):
            self.close()

    def close(self) -> None:
        """Close the file; later lines are dropped."""
        with contextlib.suppress(OSError):  # of lines that could not be written
            self._file.close()

    def write(self, line: str) -> None:
        """Write a line. Failures are ignored: a full disk for the log must not stop training."""
        stamp = datetime.datetime.now().isoformat(timespec="milliseconds")
        try:
            self._file.write(f"{stamp} {plain(line)}\n")
            self._file.flush()
        except (OSError, ValueError):
            return


def log_listeners(config: Config, run: Path | None = None) -> list[LogFile]:
    """Return the log file that a configuration asks for, if any.

    Args:
        config: the configuration.
        run: the run's folder, if its own ``config.toml`` names the file and its user does not: a
            file outside of the run is then not written.
    """
    if not config.log_file:
        return []
    path = absolute_path(config.log_file)
    if run is None:
        return [LogFile(path)]
    return [LogFile(path, is_plain=True)] if path.is_relative_to(run.resolve()) else []
