"""Hands the missing members of a sweep to an engine, and records how they end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from bitfold.experiments.sweeps.engines.engine import Advanced, Engine, Finished
from bitfold.experiments.sweeps.events import (
    MemberAdvanced,
    MemberEnded,
    MemberStarted,
    SweepEvent,
    SweepListener,
)
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import MemberStopped, MemberTask
from bitfold.experiments.sweeps.plans.member import Member
from bitfold.experiments.sweeps.record import SweepRecord
from bitfold.training import Config
from bitfold.training.ending import UNSAVED
from bitfold.training.watch.stop_request import StopRequest

_WAIT_SECONDS = 0.2
# A member whose end is not yet on disk is found as a finished run by the next command.
_RECORD_SECONDS = 2.0


class Conductor:
    """Trains the missing members of a sweep.

    Args:
        path: the folder of the sweep.
        record: of the sweep; `record` has the ends that were added.
        engine: trains members.
        listeners: of the sweep.
        request: asks for an early end.
    """

    def __init__(
        self,
        path: Path,
        record: SweepRecord,
        engine: Engine,
        listeners: Sequence[SweepListener],
        request: StopRequest,
    ) -> None:
        self._path, self._engine, self._listeners = path, engine, listeners
        self._record, self._request = record, request
        self._ends = dict(record.ends)
        self._running: dict[str, Member] = {}
        self._exit_code = 0
        self._is_stopping = False
        self._written = time.monotonic()

    def train(self, missing: Sequence[Member], shared: Config) -> int:
        """Train members; return 0, or the exit code of what stopped the sweep."""
        waiting = deque(missing)
        try:
            while self._running or (waiting and not self._is_stopping):
                while waiting and not self._is_stopping and len(self._running) < self._engine.jobs:
                    self._start(waiting.popleft(), shared)
                for report in self._engine.reports(_WAIT_SECONDS):
                    if isinstance(report, Advanced):
                        member = self._running[report.name]
                        self._tell(MemberAdvanced(member, report.epoch, report.epochs))
                    else:
                        self._finish(report)
                self._pass_on()
        finally:
            self._write(sync=True)
        return self._exit_code

    def _start(self, member: Member, shared: Config) -> None:
        config = member.config(shared).replace(output_dir=str(self._path / member.name))
        self._running[member.name] = member
        self._tell(MemberStarted(member))
        self._engine.start(MemberTask(member.name, config, self._record.writes_files))

    def _finish(self, report: Finished) -> None:
        member, end = self._running.pop(report.name), report.end
        if isinstance(end, MemberStopped):
            if end.reason == UNSAVED:
                self._stop("interrupted", end.exit_code)
                return
            if self._is_stopping:
                return
            end = MemberEnd("killed", "its process was asked to end by a signal")
        self._ends[member.name] = end
        if time.monotonic() - self._written > _RECORD_SECONDS:
            self._write(sync=False)
        self._tell(MemberEnded(member, end))

    def _pass_on(self) -> None:
        """Hand a request to stop on to the engine, once."""
        if self._request.reason is not None and not self._is_stopping:
            self._stop(self._request.reason, self._request.exit_code)

    def _stop(self, reason: str, exit_code: int) -> None:
        if not self._is_stopping:
            self._is_stopping, self._exit_code = True, exit_code
            self._engine.stop(reason, exit_code)

    def _write(self, *, sync: bool) -> None:
        self._record.with_ends(self._ends).write(self._path, sync=sync)
        self._written = time.monotonic()

    def _tell(self, event: SweepEvent) -> None:
        for listener in self._listeners:
            listener(event)
