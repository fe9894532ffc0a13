"""A process that trains members of a sweep, one after the other, as its standard input orders.

It ends when the orders end: also when the process that gives them is killed.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from typing import IO

from bitfold.experiments.sweeps.engines.engine import Finished, Report
from bitfold.experiments.sweeps.engines.epoch_reports import EpochReports
from bitfold.experiments.sweeps.engines.wire import parse_order, report_line
from bitfold.experiments.sweeps.member_run import MemberStop, MemberTask, run_member

_TERMINATED = 143


def main() -> int:
    """Train until there are no further orders."""
    # An interrupt at the terminal is meant for the sweep, which passes it on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reports = _own_output()
    tasks: queue.SimpleQueue[MemberTask | None] = queue.SimpleQueue()
    stop = MemberStop()
    threading.Thread(target=_listen, args=(tasks, stop), daemon=True).start()

    def tell(report: Report) -> None:
        try:
            reports.write(report_line(report))
            reports.flush()
        except OSError:  # the sweep is gone
            stop.ask("terminated", _TERMINATED)

    while (task := tasks.get()) is not None:
        end = run_member(task, [EpochReports(task.name, tell)], stop)
        tell(Finished(task.name, end))
    return 0


def _own_output() -> IO[bytes]:
    """Keep standard output for reports; what libraries print goes to standard error."""
    descriptor = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(descriptor, "wb")


def _listen(tasks: queue.SimpleQueue[MemberTask | None], stop: MemberStop) -> None:
    for line in sys.stdin.buffer:
        order = parse_order(line)
        if isinstance(order, MemberTask):
            tasks.put(order)
        else:
            stop.ask(*order)
    stop.ask("terminated", _TERMINATED)
    tasks.put(None)


if __name__ == "__main__":
    sys.exit(main())
