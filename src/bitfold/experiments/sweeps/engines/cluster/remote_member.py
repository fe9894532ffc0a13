"""What a worker of Ray does: it trains one member, and sends its files home at each checkpoint."""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from bitfold.errors import ConfigError, printable
from bitfold.experiments.sweeps.engines.cluster.folder_copies import OutgoingFiles, write_copies
from bitfold.experiments.sweeps.engines.engine import Finished
from bitfold.experiments.sweeps.engines.epoch_reports import EpochReports
from bitfold.experiments.sweeps.engines.wire import parse_order, report_line
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import MemberStop, MemberTask, run_member
from bitfold.runtime.installed_version import UNKNOWN, installed_version
from bitfold.training import CheckpointWritten, Event
from bitfold.training.step.resources import limited_threads

REPORT, FILES, PLACE = b"R", b"F", b"P"
"""First bytes of messages: a report as in `wire`, files as in `folder_copies`, and where the member
is trained: the name of the machine and the number of the process, with a space between."""

_POLL_SECONDS = 0.5
_MAX_REASON = 500


def versions() -> str:
    """Return the versions on which the bits of a training depend."""
    return ", ".join(
        f"{name} {installed_version(name)}" for name in ("bitfold", "torch", "numpy", "numba")
    )


def check_versions() -> None:
    """Refuse versions that are unknown: two machines could have different ones.

    Raises:
        ConfigError: a package is here without its metadata.
    """
    found = versions()
    if UNKNOWN in found:
        raise ConfigError(
            "Cannot train on Ray: expected known versions, which workers have to share, got "
            f"{found}. Install these packages with their metadata, as pip does."
        )


def entries(name: str) -> tuple[str, str]:
    """Return what a member has in the folder of its sweep: its run and its model file."""
    return name, f"{name}.bitfold"


def train_remotely(
    order: bytes, files: bytes, expected: str, asked: Callable[[], tuple[str, int] | None]
) -> Iterator[bytes]:
    """Train a member in a temporary folder; yield messages until it has ended.

    Args:
        order: a line of `wire.task_line`; the folder that it names is that of another machine.
        files: the member's files so far.
        expected: `versions` of the sweep.
        asked: returns the reason and the exit code of a stop, or None while nobody asks.
    """
    yield PLACE + f"{platform.node()} {os.getpid()}".encode()
    task = parse_order(order)
    assert isinstance(task, MemberTask)
    if expected != versions():
        reason = f"{platform.node()} has {versions()}; the sweep has {expected}"
        yield REPORT + report_line(Finished(task.name, MemberEnd("error", reason)))
        return
    with tempfile.TemporaryDirectory(prefix="bitfold-member-") as place:
        here = MemberTask(
            task.name, task.config.replace(output_dir=f"{place}/{task.name}"), task.writes_file
        )
        write_copies(Path(place), entries(task.name), files)
        yield from _Training(here, asked).messages()


class _Training:
    """A member that a thread trains, and the messages that it leaves meanwhile."""

    def __init__(self, task: MemberTask, asked: Callable[[], tuple[str, int] | None]) -> None:
        self._task, self._asked, self._stop = task, asked, MemberStop()
        self._files = OutgoingFiles(task.path.parent, entries(task.name))
        self._files.news()  # what came from home is known there
        self._messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def messages(self) -> Iterator[bytes]:
        """Yield messages until the member has ended, and hand a stop on."""
        thread = threading.Thread(target=self._train, daemon=True)
        thread.start()
        is_over = False
        while not is_over:
            if self._stop.reason is None and (found := self._asked()) is not None:
                self._stop.ask(*found)
            with contextlib.suppress(queue.Empty):
                message = self._messages.get(timeout=_POLL_SECONDS)
                is_over = message is None
                if message is not None:
                    yield message
        thread.join()

    def _train(self) -> None:
        name, config = self._task.name, self._task.config
        reports = EpochReports(
            name, lambda report: self._messages.put(REPORT + report_line(report))
        )
        try:
            with limited_threads(config.threads or 1):
                end = run_member(self._task, [reports, self._send_files], self._stop)
            self._messages.put(FILES + self._files.news())
        except Exception as error:  # as of a full disk; the sweep must be told
            end = MemberEnd("crashed", printable(f"{type(error).__name__}: {error}")[:_MAX_REASON])
        self._messages.put(REPORT + report_line(Finished(name, end)))
        self._messages.put(None)

    def _send_files(self, event: Event) -> None:
        if isinstance(event, CheckpointWritten):
            self._messages.put(FILES + self._files.news())
