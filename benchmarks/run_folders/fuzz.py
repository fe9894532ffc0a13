"""Does a run folder from a stranger ever end in more than one line, or reach outside?

``python -m benchmarks.run_folders.fuzz [--runs N] [--first M]`` lets strangers change the folders
of four small runs, of a frontier and of a sweep 10,000 times, mostly in the right format and with
the right checksum, and calls a command on each. It prints a table with a row for each command,
where *frame* is ``bitfold render --epoch``, *folds* ``bitfold plot --what folds``, *merge*
``bitfold sweep --merge``, and *studio* what the studio does for a page that lists the runs, opens
one, looks at it and saves; *branch*, *plan* and *read-sweep* are functions of Python. With
``--log FILE`` outcomes are kept, and the same call goes on where it was stopped.
Exit code 1 if any ends in a traceback, in more than one line of error or in
control characters, takes more than 10 s of processor time or 1 GB of memory, hangs, or changes
anything outside of the run. ``--quick`` tries 500.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from benchmarks.harness.folders import ROOT
from benchmarks.harness.timing import argument_parser, write_results

NUM_RUNS, QUICK_RUNS = 10_000, 500
MOST_SECONDS, MOST_MEGABYTES = 10.0, 1024.0
# A process without output for this long hangs; other programs may slow it down.
HANGS_SECONDS = 600.0
# Loops are compiled and libraries imported before the first attempt.
START_SECONDS = 3600.0
# After so many attempts a new process makes the next: memory that large files have left in pieces
# would be counted as that of a later attempt.
RUNS_OF_A_PROCESS = 500


def main() -> int:
    """Make all attempts, and print their outcomes."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, help=f"changed folders; {NUM_RUNS:,}")
    parser.add_argument("--first", type=int, default=0, help="number of the first folder")
    parser.add_argument("--seed", type=int, default=0, help="of all changes")
    parser.add_argument("--log", type=Path, help="file of outcomes, from which a call goes on")
    parser.add_argument("--child", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        from tests.run_folders.fuzzing.attempts import main_of_child  # noqa: PLC0415 - imports PyTorch

        first, last = arguments.child
        main_of_child(arguments.folder, first, last, arguments.seed)
        return 0
    total = arguments.runs or (QUICK_RUNS if arguments.quick else NUM_RUNS)
    outcomes = kept_outcomes(arguments.log)
    first, last = arguments.first + len(outcomes), arguments.first + total
    for found in attempts(first, last, arguments.seed):
        outcomes.append(found)
        if arguments.log is not None:
            with arguments.log.open("a", encoding="utf-8") as log:
                log.write(json.dumps(found) + "\n")
        if fault := fault_of(found):
            print(f"{found['number']} {found['command']} ({found['done']}): {fault}", flush=True)
    print(table(outcomes))
    num_faults = sum(bool(fault_of(found)) for found in outcomes)
    write_results(arguments.output, {"outcomes": rows(outcomes), "faults": num_faults})
    return int(num_faults > 0)


def kept_outcomes(log: Path | None) -> list[dict[str, Any]]:
    """Return the outcomes of earlier calls; a line that was torn counts as missing."""
    if log is None or not log.exists():
        return []
    lines = [line for line in log.read_text(encoding="utf-8").splitlines(True) if line[-1:] == "\n"]
    log.write_text("".join(lines), encoding="utf-8")
    return [json.loads(line) for line in lines]


def attempts(first: int, last: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the outcome of each attempt; a process that hangs or dies is replaced."""
    while first < last:
        with tempfile.TemporaryDirectory() as folder:
            end = min(last, first + RUNS_OF_A_PROCESS)
            for found in _attempts_in_child(first, end, seed, folder):
                first = found["number"] + 1
                yield found


def _attempts_in_child(first: int, last: int, seed: int, folder: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.run_folders.fuzz", "--folder", folder]
    child = subprocess.Popen(
        [*command, "--child", str(first), str(last), "--seed", str(seed)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    number, patience = first, START_SECONDS
    assert child.stdout is not None
    try:
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_hand_on, args=(child.stdout, lines), daemon=True).start()
        while number < last:
            line = _next(lines, patience)
            if not line:
                reason = "hangs" if child.poll() is None else f"died with {child.returncode}"
                yield _lost(number, reason)
                return
            found, patience = json.loads(line), HANGS_SECONDS
            if "command" in found:
                number = found["number"] + 1
                yield found
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _hand_on(source: IO[str], lines: queue.Queue[str]) -> None:
    for line in source:
        lines.put(line)
    lines.put("")


def _next(lines: queue.Queue[str], patience: float) -> str:
    """Return the next line; empty after the last one, or if no line comes in time."""
    try:
        return lines.get(timeout=patience)
    except queue.Empty:
        return ""


def _lost(number: int, reason: str) -> dict[str, Any]:
    lost = {"number": number, "command": "?", "done": "?", "code": None, "fault": reason}
    return {**lost, "seconds": 0.0, "megabytes": 0.0}


def fault_of(found: dict[str, Any]) -> str:
    """Return the fault of an outcome; empty if there is none."""
    if found["fault"]:
        return str(found["fault"])
    if found["seconds"] > MOST_SECONDS:
        return f"took {found['seconds']:.1f} s"
    return f"took {found['megabytes']:.0f} MB" if found["megabytes"] > MOST_MEGABYTES else ""


def rows(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each command, and one row for all."""
    commands = sorted({found["command"] for found in outcomes})
    groups = {name: [f for f in outcomes if f["command"] == name] for name in commands}
    return [
        {
            "command": name,
            "folders": len(group),
            "refused": sum(found["code"] == 2 for found in group),
            "faults": sum(bool(fault_of(found)) for found in group),
            "most_seconds": max(found["seconds"] for found in group),
            "most_megabytes": max(found["megabytes"] for found in group),
        }
        for name, group in {**groups, "all": outcomes}.items()
    ]


def table(outcomes: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| command | folders | refused in one line | faults | most seconds | most MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row['command']} | {row['folders']:,} | {row['refused']:,} | {row['faults']:,} | "
        f"{row['most_seconds']:.1f} | {row['most_megabytes']:,.0f} |"
        for row in rows(outcomes)
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
