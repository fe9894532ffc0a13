"""Does memory stay flat over a long run with K?

``python -m benchmarks.training.memory [--epochs 25000] [--frames] [--output ...]``; exit code 1 if
not. Resident memory is read through the whole run by a listener; a straight line is fitted to what
follows the first 1,000 epochs, and growth is what that line gains until the end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

import bitfold
from benchmarks.harness.product import in_temporary_run
from benchmarks.harness.timing import argument_parser, write_results
from bitfold.training import EpochEnded, Event, Listener

SETTLING_EPOCHS = 1000
SAMPLE_INTERVAL = 10
# Flat: the line gains less than a hundredth of the process's memory. An allocator's own noise is
# several times smaller; one kept tensor of a network's size an epoch would be many times larger.
FLAT_SHARE = 0.01


class MemorySampler:
    """A listener that reads the process's resident memory every few epochs."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.megabytes: list[float] = []

    def __call__(self, event: Event) -> None:
        """Sample at the end of an epoch."""
        if isinstance(event, EpochEnded) and event.epoch % SAMPLE_INTERVAL == 0:
            self.epochs.append(event.epoch)
            self.megabytes.append(resident_megabytes())


def resident_megabytes() -> float:
    """Return this process's resident memory.

    Raises:
        OSError: the system has no /proc/self/statm, where Linux tells it.
    """
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def fitted_growth(epochs: list[int], megabytes: list[float]) -> tuple[float, float]:
    """Return (memory at the start of the fit, growth until its end) in MB, after settling."""
    x, y = np.array(epochs, dtype=float), np.array(megabytes)
    settled = x > min(SETTLING_EPOCHS, x[-1] / 5)
    slope, offset = np.polyfit(x[settled], y[settled], 1)
    first, last = x[settled][0], x[settled][-1]
    return float(offset + slope * first), float(slope * (last - first))


def listeners_of(sampler: MemorySampler, with_frames: bool) -> list[Listener]:
    """Return the sampler and, with ``--frames``, the recorder of a user's run."""
    if not with_frames:
        return [sampler]
    from bitfold.recording import Recorder  # noqa: PLC0415 - without frames it is not needed

    return [Recorder(), sampler]


def main() -> int:
    """Run, fit, and say whether memory is flat."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=25_000)
    parser.add_argument("--frames", action="store_true", help="draw frames too, as a user's run")
    arguments = parser.parse_args()
    epochs = min(arguments.epochs, 2000) if arguments.quick else arguments.epochs
    config = bitfold.Config(
        target="ring",
        epochs=epochs,
        kolmogorov_weight=0.01,
        no_watchdog=("stagnation",),  # a converged run must go on here
    )
    sampler = MemorySampler()
    in_temporary_run(config, lambda run: run, *listeners_of(sampler, arguments.frames))
    start, growth = fitted_growth(sampler.epochs, sampler.megabytes)
    is_flat = growth < FLAT_SHARE * start
    verdict = "PASS" if is_flat else f"SHORT: expected below {FLAT_SHARE * start:.1f} MB"
    print(f"{sampler.epochs[-1]} epochs: {start:.0f} MB after settling, {growth:+.2f} MB until the")
    print(f"end ({growth / start:+.2%}); highest {max(sampler.megabytes):.0f} MB. {verdict}")
    results = {
        "epochs": sampler.epochs[-1],
        "with_frames": arguments.frames,
        "settled_mb": round(start, 1),
        "growth_mb": round(growth, 2),
        "highest_mb": round(max(sampler.megabytes), 1),
        "is_flat": is_flat,
    }
    write_results(arguments.output, results)
    return 0 if is_flat else 1


if __name__ == "__main__":
    sys.exit(main())
