"""bitfold as users run it, for timing: whole runs in a temporary folder."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

import bitfold
from bitfold.targets import load_target
from bitfold.training import EpochEnded, Event

RING_SIDE = 1024
_Made = TypeVar("_Made")


def ring_picture() -> NDArray[np.uint8]:
    """Return the ring that both programs learn: uint8 (1024, 1024)."""
    return load_target("ring", size=RING_SIDE).picture()[:, :, 0].copy()


class EpochClock:
    """A listener that notes when each epoch ended."""

    def __init__(self) -> None:
        self.ends: dict[int, float] = {}

    def __call__(self, event: Event) -> None:
        """Note the time."""
        if isinstance(event, EpochEnded):
            self.ends[event.epoch] = time.perf_counter()

    def seconds_an_epoch(self, warm_up: int) -> float:
        """Return the mean seconds of all epochs after the first ``warm_up``."""
        last = max(self.ends)
        return (self.ends[last] - self.ends[warm_up]) / (last - warm_up)


def epoch_seconds(config: bitfold.Config, warm_up: int) -> float:
    """Train a whole run in a temporary folder; return seconds an epoch after the warm-up.

    This is the product as a user has it: metrics line, watchdogs, gradient norms, trajectory and
    checkpoints included. Starting and ending a run are not.
    """
    clock = EpochClock()
    in_temporary_run(config, _check_completed, clock)
    return clock.seconds_an_epoch(warm_up)


def in_temporary_run(
    config: bitfold.Config,
    use: Callable[[bitfold.Run], _Made],
    *listeners: Callable[[Event], None],
) -> _Made:
    """Train in a temporary folder, and return the result of calling ``use`` on the run."""
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        placed = config.replace(output_dir=str(Path(folder) / "run"))
        return use(bitfold.train(placed, listeners))


def _check_completed(run: bitfold.Run) -> None:
    if run.status["status"] != "completed":
        raise RuntimeError(f"The run did not complete: {run.status['message']}")
