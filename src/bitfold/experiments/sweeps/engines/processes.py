"""Members in processes of this machine."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import tempfile
import threading
from typing import Final

from bitfold.errors import printable
from bitfold.experiments.sweeps.engines.engine import Engine, Finished, Report
from bitfold.experiments.sweeps.engines.wire import parse_report, stop_line, task_line
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import MemberStopped, MemberTask
from bitfold.runtime.strangers.isolated_start import check_not_alone, isolated_command, own_group

_WORKER = "bitfold.experiments.sweeps.engines.worker"
_LAST_BYTES, _MAX_REASON = 2000, 500
# Members of one process: what a library leaks does not add up without end.
_MOST_TASKS: Final = 100
_PATIENCE_SECONDS: Final = 10.0
# Windows has no SIGKILL.
_KILLS: Final = {int(one) for one in signal.Signals if one.name in ("SIGKILL", "SIGTERM")}


class _Worker:
    """A process, the member that it trains, and what it prints."""

    def __init__(self, reports: queue.SimpleQueue[tuple[_Worker, Report | None]]) -> None:
        self.name: str | None = None
        self.num_tasks = 0
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            isolated_command(_WORKER),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            **own_group(),
        )
        self._thread = threading.Thread(target=self._read, args=(reports,), daemon=True)
        self._thread.start()

    def order(self, line: bytes) -> None:
        """Send an order; a dead process is found out by its reports' end."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def end(self) -> MemberEnd:
        """Wait for a process whose reports have ended; return how its member ended."""
        code = self._process.wait()
        self._close_orders()
        line = self._last_line()
        self._errors.close()
        if code < 0:
            name = signal.Signals(-code).name if -code in _signals() else "unknown"
            reason = f"its process was ended by signal {-code} ({name})"
            if name == "SIGKILL":
                reason += "; the system ends processes so when memory runs out"
        else:
            reason = f"its process ended with exit code {code}"
        status = "killed" if -code in _KILLS else "crashed"
        return MemberEnd(status, printable(f"{reason}: {line}" if line else reason)[:_MAX_REASON])

    def close(self, *, at_once: bool) -> None:
        """Let the process end, or end it."""
        self._close_orders()
        try:
            self._process.wait(0 if at_once else _PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        self._errors.close()

    def _close_orders(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _read(self, reports: queue.SimpleQueue[tuple[_Worker, Report | None]]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                try:
                    report = parse_report(line)
                except (ValueError, TypeError, KeyError):
                    break  # the process is broken, or was killed while it wrote
                reports.put((self, report))
        reports.put((self, None))

    def _last_line(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _LAST_BYTES))
        lines = self._errors.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


class ProcessEngine(Engine):
    """Trains members in processes, each of which trains one after the other.

    A member that crashes or is killed ends alone, and others go on in a new process.

    Args:
        jobs: members at a time.

    Raises:
        ProcessError: no process can be started.
    """

    def __init__(self, jobs: int) -> None:
        check_not_alone()
        super().__init__(jobs)
        self._reports: queue.SimpleQueue[tuple[_Worker, Report | None]] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._stop: tuple[str, int] | None = None

    def start(self, task: MemberTask) -> None:
        """Begin to train a member."""
        worker = next((one for one in self._workers if one.name is None), None)
        if worker is None:
            worker = _Worker(self._reports)
            self._workers.append(worker)
        worker.name = task.name
        worker.num_tasks += 1
        worker.order(task_line(task))

    def reports(self, timeout_seconds: float) -> list[Report]:
        """Wait for reports, and return them."""
        found: list[Report] = []
        with contextlib.suppress(queue.Empty):
            self._take(found, *self._reports.get(timeout=timeout_seconds))
            while True:
                self._take(found, *self._reports.get_nowait())
        return found

    def stop(self, reason: str, exit_code: int) -> None:
        """Ask all members to end after the epoch in hand."""
        self._stop = (reason, exit_code)
        for worker in self._workers:
            worker.order(stop_line(reason, exit_code))

    def close(self) -> None:
        """End all processes; one that still trains is killed, and its run has its checkpoints."""
        for worker in self._workers:
            worker.close(at_once=worker.name is not None)
        self._workers.clear()

    def _take(self, found: list[Report], worker: _Worker, report: Report | None) -> None:
        if report is None:
            self._bury(found, worker)
            return
        found.append(report)
        if isinstance(report, Finished):
            worker.name = None
            if worker.num_tasks >= _MOST_TASKS:
                self._workers.remove(worker)
                worker.close(at_once=False)

    def _bury(self, found: list[Report], worker: _Worker) -> None:
        """Report the member of a process that has ended by itself."""
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        end = worker.end()
        if worker.name is None:
            return
        if self._stop is None:
            found.append(Finished(worker.name, end))
        else:
            found.append(Finished(worker.name, MemberStopped(self._stop[0], "", self._stop[1])))


def _signals() -> set[int]:
    return {int(one) for one in signal.Signals}
