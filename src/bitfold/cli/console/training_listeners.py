"""The listeners of every command that trains."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Self

from bitfold import recording, training
from bitfold.cli.console.output import Console
from bitfold.cli.console.progress import LogFile, ProgressReport

if TYPE_CHECKING:
    from bitfold.training import Config, Event, Listener, RunEnded


class _Ending:
    """Remembers the last event of a training."""

    def __init__(self) -> None:
        self.event: RunEnded | None = None

    def __call__(self, event: Event) -> None:
        """Listen to training."""
        if isinstance(event, training.RunEnded):
            self.event = event


class _Notices(logging.Handler):
    """Shows what trainer and drawing process give notice of: the same line once, not twice.

    Args:
        console: where the drawing process's lines go.
        errors: where the trainer's own go, as those of `logging` do.
    """

    def __init__(self, console: Console, errors: Console) -> None:
        super().__init__()
        self._console, self._errors = console, errors
        self._shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a line of the trainer."""
        self._show(record.getMessage(), self._errors)

    def of_drawing(self, line: str) -> None:
        """Show a line of the drawing process."""
        self._show(line, self._console)

    def _show(self, line: str, console: Console) -> None:
        if line not in self._shown:
            self._shown.add(line)
            console.print(line, soft_wrap=True)


class CommandListeners:
    """Progress, log file, TensorBoard and drawing, connected with each other.

    Args:
        config: the configuration of the run.
        quiet: whether nothing is printed.
        every_epoch: whether every epoch gets a line where there is no terminal.
        draws: whether frames are drawn.
        expects_file: whether the command writes a model file after training.
        logs: the log file, if any.
    """

    def __init__(
        self,
        config: Config,
        logs: list[LogFile],
        *,
        quiet: bool,
        every_epoch: bool = False,
        draws: bool = True,
        expects_file: bool = False,
    ) -> None:
        self.console = Console(quiet=quiet)
        self._errors = Console(stderr=True)
        self._notices = _Notices(self.console, self._errors)
        self._ending = _Ending()
        self._report = ProgressReport(self.console, every_epoch=every_epoch)
        self._logs = logs
        self.all: list[Listener] = [self._ending, self._report, *self._logs]
        if config.tensorboard:
            self.all.append(recording.TensorboardListener())
        if draws:
            self.all.append(
                recording.Recorder(
                    on_progress=self._report.drawing,
                    on_problem=self._problem,
                    on_notice=self._notices.of_drawing,
                    expects_file=expects_file,
                )
            )

    @property
    def ended(self) -> RunEnded:
        """The last event of the training; only after it has ended."""
        assert self._ending.event is not None
        return self._ending.event

    def close(self) -> None:
        """Remove the bar and close the log file, however the training ended."""
        logging.getLogger("bitfold").removeHandler(self._notices)
        self._report.close()
        for log in self._logs:
            log.close()

    def __enter__(self) -> Self:
        logging.getLogger("bitfold").addHandler(self._notices)
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _problem(self, line: str) -> None:
        self._errors.print(line, soft_wrap=True)
        for log in self._logs:
            log(training.Noticed(line))
