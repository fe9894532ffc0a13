"""How soon does a first run on a machine train, draw and end, and what does compiling cost?

``python -m benchmarks.training.cold_start [--quick] [--output FILE]``; exit code 1 if a limit is
missed. Each command runs with a new, empty folder for compiled loops, and once more with what the
first left there. Processor seconds are those of the command and of all processes that it started;
compiling takes the difference of both. Every line is printed with its time. Run it on a machine
that does nothing else: on a busy one, wall times grow, and processor times grow by a third.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness.timing import argument_parser, write_results
from bitfold.render import encode_png
from bitfold.targets import load_target

FIRST_EPOCH_SECONDS, DEMO_SECONDS, COMPILE_SECONDS, HELP_SECONDS = 15.0, 60.0, 35.0, 1.0
_POLL_SECONDS = 0.05
_EPOCH = re.compile(r"epoch 1/|epoch \d+/\d+:")


@dataclass
class Times:
    """Seconds from a command's start to its outputs; None for an output that never came.

    Args:
        first_line: the first line of output.
        first_epoch: the first line of an epoch.
        first_frame: the first frame or byte of video on disk.
        end: the end of the command.
        processor: processor seconds of all its processes.
        lines: each line with its time.
    """

    first_line: float | None = None
    first_epoch: float | None = None
    first_frame: float | None = None
    end: float = 0.0
    processor: float = 0.0
    lines: list[tuple[float, str]] = field(default_factory=list)


def timed(command: Sequence[str], folder: Path, cache: Path) -> Times:
    """Run a command that draws below a folder, and note its times.

    Args:
        command: the program and its arguments.
        folder: the folder below which it makes its run.
        cache: where compiled loops are kept.
    """
    times, start, before = Times(), time.perf_counter(), os.times()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )  # fmt: skip
    watcher = threading.Thread(target=_watch, args=(process, folder, times, start))
    watcher.start()
    assert process.stdout is not None
    for line in process.stdout:
        now = time.perf_counter() - start
        times.lines.append((now, line.rstrip()))
        print(f"  {now:6.1f} s  {line.rstrip()[:100]}", flush=True)
        times.first_line = times.first_line or now
        if _EPOCH.match(line):
            times.first_epoch = times.first_epoch or now
    process.wait()
    watcher.join()
    after = os.times()
    times.end = time.perf_counter() - start
    # A process's time includes the children for which it has waited.
    times.processor = sum(after[2:4]) - sum(before[2:4])
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}.")
    return times


def _watch(process: subprocess.Popen[str], folder: Path, times: Times, start: float) -> None:
    """Note the first frame or video below a folder."""
    while process.poll() is None and times.first_frame is None:
        found = (path for suffix in ("frame-*", "*.mp4") for path in folder.rglob(suffix))
        if any(path.stat().st_size for path in found):
            times.first_frame = time.perf_counter() - start
        time.sleep(_POLL_SECONDS)


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the three commands by name, for pictures in a folder."""
    picture = folder / "ring.png"
    picture.write_bytes(encode_png(load_target("ring", size=256).picture()))
    bitfold = [sys.executable, "-m", "bitfold"]
    module = "bitfold.cli.programs.draw_poly_while_training"
    return {
        "train with K": [
            *bitfold, "train", "ring", "--size", "256", "--kolmogorov-weight", "0.001",
            "--epochs", "50", "--output-dir", "run",
        ],
        "draw-poly-while-training": [
            sys.executable, "-m", module, "--input", str(picture), "--epochs", "12",
        ],
        "demo": [*bitfold, "demo", "-o", "run"],
    }  # fmt: skip


def measure(command: Sequence[str]) -> tuple[Times, Times]:
    """Run a command with an empty folder for compiled loops, and again with a filled one."""
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        found = []
        for name in ("first", "later"):
            place = Path(folder) / name
            place.mkdir()
            print(f" {name} run", flush=True)
            found.append(timed(command, place, Path(folder) / "loops"))
    return found[0], found[1]


def main() -> int:
    """Measure each command, and name missed limits."""
    arguments = argument_parser(__doc__.splitlines()[0]).parse_args()
    results: dict[str, Any] = {}
    misses = []

    def check(what: str, seconds: float | None, limit: float) -> None:
        is_met = seconds is not None and seconds <= limit
        shown = "never" if seconds is None else f"{seconds:.1f} s"
        bound = "no limit" if limit == math.inf else f"at most {limit:g} s"
        print(f"{what}: {shown} ({bound}) {'PASS' if is_met else 'MISSES'}")
        if not is_met:
            misses.append(what)

    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        helped = timed([sys.executable, "-m", "bitfold", "--help"], Path(folder), Path(folder))
        check("help", helped.end, HELP_SECONDS)
        for name, command in commands(Path(folder)).items():
            if arguments.quick and name == "demo":
                continue
            print(name, flush=True)
            first, later = measure(command)
            compiling = first.processor - later.processor
            results[name] = {
                "first": asdict(first), "later": asdict(later), "compiling": compiling,
            }  # fmt: skip
            check(f"{name}: first epoch", first.first_epoch, FIRST_EPOCH_SECONDS)
            print(f"{name}: first frame {first.first_frame}, end {first.end:.1f} s")
            if name == "demo":
                check("demo: end", first.end, DEMO_SECONDS)
            # The demo also compiles the loops of learned steps and of model files.
            limit = math.inf if name == "demo" else COMPILE_SECONDS
            check(f"{name}: processor seconds of compiling", compiling, limit)
    write_results(arguments.output, results)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
