"""Members in threads of this process; the choice of an engine takes it for one at a time."""

from __future__ import annotations

import contextlib
import queue
import threading
from contextlib import ExitStack

from bitfold.experiments.sweeps.engines.engine import Engine, Finished, Report
from bitfold.experiments.sweeps.engines.epoch_reports import EpochReports
from bitfold.experiments.sweeps.member_run import MemberStop, MemberTask, run_member
from bitfold.training.step.resources import limited_threads


class ThreadEngine(Engine):
    """Trains members in threads, which share Python's lock between epochs of compiled calls.

    A member in a thread cannot be killed alone. What kills it, kills the process; the sweep goes on
    from the record on disk.

    Args:
        jobs: members at a time.
        num_threads: of PyTorch, the same for every member: it belongs to the process.
    """

    def __init__(self, jobs: int, num_threads: int = 1) -> None:
        super().__init__(jobs)
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._stop = MemberStop()
        self._running: dict[str, threading.Thread] = {}
        self._process = ExitStack()
        self._process.enter_context(limited_threads(num_threads))

    def start(self, task: MemberTask) -> None:
        """Begin to train a member."""
        thread = threading.Thread(target=self._train, args=(task,), name=task.name, daemon=True)
        self._running[task.name] = thread
        thread.start()

    def reports(self, timeout_seconds: float) -> list[Report]:
        """Wait for reports, and return them."""
        found: list[Report] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._reports.get(timeout=timeout_seconds))
            while True:
                found.append(self._reports.get_nowait())
        for report in found:
            if isinstance(report, Finished):
                self._running.pop(report.name).join()
        return found

    def stop(self, reason: str, exit_code: int) -> None:
        """Ask all members to end after the epoch in hand."""
        self._stop.ask(reason, exit_code)

    def close(self) -> None:
        """Ask what still runs to end, and wait for it: a thread cannot be ended from outside."""
        self._stop.ask("interrupted", 130)
        for thread in self._running.values():
            thread.join()
        self._process.close()

    def _train(self, task: MemberTask) -> None:
        listener = EpochReports(task.name, self._reports.put)
        self._reports.put(Finished(task.name, run_member(task, [listener], self._stop)))
