"""One network of a frontier: trained, or trained further, then coded and measured."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitfold.errors import RunError
from bitfold.experiments.frontiers.record import FrontierPoint, Weight
from bitfold.experiments.own_runs import begun_or_continued
from bitfold.experiments.quality import measure_quality
from bitfold.experiments.run_coding import code_run
from bitfold.experiments.sweeps.events import SweepEvent
from bitfold.runtime.atomic_files import write_atomically
from bitfold.training import Config, Event, Listener, Run, RunEnded, train_to_the_end


@dataclass(frozen=True)
class PointStarted:
    """The training of one network of a frontier is about to begin, or to go on.

    Args:
        number: its place among the networks of this call, from 1.
        num_missing: the networks that this call trains.
        config: the configuration of its run.
    """

    number: int
    num_missing: int
    config: Config


@dataclass(frozen=True)
class PointEnded:
    """One network of a frontier is done, and the record on disk names it."""

    point: FrontierPoint


#: What a frontier tells its listeners: its own events, all events of each training, and those of a
#: sweep, where several networks are trained at a time.
FrontierEvent = PointStarted | PointEnded | Event | SweepEvent
FrontierListener = Callable[[FrontierEvent], None]


def run_name(weight: Weight, seed: int) -> str:
    """Return the name of a network's folder.

    >>> run_name(0.003, 1), run_name("bits:2000", 0)
    ('lambda-0.003-seed-1', 'bits-2000-seed-0')
    """
    shown = f"lambda-{weight!r}" if isinstance(weight, float) else weight.replace(":", "-")
    return f"{shown}-seed-{seed}"


def train_point(config: Config, listeners: Sequence[Listener]) -> RunEnded:
    """Train a run, or continue it from its newest checkpoint.

    Args:
        config: of the run, with its folder.
        listeners: called with every event of the training.

    Returns:
        The last event of the training.
    """
    endings: list[RunEnded] = []

    def remember(event: Event) -> None:
        if isinstance(event, RunEnded):
            endings.append(event)

    start = time.monotonic()
    train_to_the_end(begun_or_continued(config, [remember, *listeners]), start)
    return endings[-1]


def measured_point(run: Run, weight: Weight, folder: Path) -> FrontierPoint:
    """Write the model file of a completed run, and measure the network that it decodes to.

    Args:
        run: a run within ``folder``.
        weight: its lambda.
        folder: the folder of the frontier, which gets the file.

    Raises:
        RunError: the file cannot be written.
    """
    coded, name = code_run(run), f"{run.path.name}.bitfold"
    try:
        write_atomically(folder / name, coded.data)
    except OSError as error:
        raise RunError(
            f"Cannot write {folder / name}: {error.strerror}. Make room, then give the same "
            "command again."
        ) from None
    quality = measure_quality(run.target, coded.network)
    psnr, bits = quality.psnr_db, run.metrics["description_bits"]
    return FrontierPoint(
        weight,
        run.config.seed,
        run.path.name,
        "completed",
        name,
        len(coded.data),
        quality.error,
        psnr if psnr is not None and math.isfinite(psnr) else None,
        bits[-1] if bits else None,
    )
