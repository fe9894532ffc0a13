"""The listeners that every training program of the command line has."""

from __future__ import annotations

from typing import Self

from rich.console import Console

from bitfold.cli.console.progress import LogFile, ProgressReport, log_listeners
from bitfold.recording import Recorder, TensorboardListener
from bitfold.training import Config, Event, Listener, Noticed, RunEnded


class _Ending:
    """Remembers how training ended."""

    def __init__(self) -> None:
        self.event: RunEnded | None = None

    def __call__(self, event: Event) -> None:
        """Listen to training."""
        if isinstance(event, RunEnded):
            self.event = event


class CommandListeners:
    """Progress, log file, TensorBoard and drawing, wired together.

    Args:
        config: of the run.
        quiet: whether nothing is shown.
        every_epoch: whether a line an epoch is printed where there is no terminal.
        draws: whether frames are drawn.
    """

    def __init__(
        self, config: Config, *, quiet: bool, every_epoch: bool = False, draws: bool = True
    ) -> None:
        self.console = Console(quiet=quiet)
        self._errors = Console(stderr=True)
        self._ending = _Ending()
        self._report = ProgressReport(self.console, every_epoch=every_epoch)
        self._logs: list[LogFile] = log_listeners(config)
        self.all: list[Listener] = [self._ending, self._report, *self._logs]
        if config.tensorboard:
            self.all.append(TensorboardListener())
        if draws:
            self.all.append(
                Recorder(
                    on_progress=self._report.drawing,
                    on_problem=self._problem,
                    on_notice=self._notice,
                )
            )

    @property
    def ended(self) -> RunEnded:
        """How training ended; only after it has."""
        assert self._ending.event is not None
        return self._ending.event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._report.close()

    def _notice(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _problem(self, line: str) -> None:
        self._errors.print(line, markup=False, highlight=False, soft_wrap=True)
        for log in self._logs:
            log(Noticed(line))
