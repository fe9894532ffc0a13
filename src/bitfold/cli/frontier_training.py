"""One network of a frontier: trained, or trained on, written and measured."""

from __future__ import annotations

import math
from pathlib import Path

from bitfold.cli.console.training_listeners import CommandListeners
from bitfold.cli.frontier_record import FrontierPoint, Weight
from bitfold.cli.quality import QualityMeter, spread_pixels
from bitfold.cli.run_file import MOST_PIXELS, code_run
from bitfold.errors import RunError
from bitfold.runtime.atomic_files import write_atomically
from bitfold.training import Config, Run, RunEnded, RunFolder, resume, train


def run_name(weight: Weight, seed: int) -> str:
    """Return the name of a network's folder.

    >>> run_name(0.003, 1), run_name("bits:2000", 0)
    ('lambda-0.003-seed-1', 'bits-2000-seed-0')
    """
    shown = f"lambda-{weight!r}" if isinstance(weight, float) else weight.replace(":", "-")
    return f"{shown}-seed-{seed}"


def train_point(config: Config, *, quiet: bool) -> RunEnded:
    """Train a run, or continue it from its newest checkpoint; nothing is drawn.

    Args:
        config: of the run, with its folder.
    """
    assert config.output_dir is not None
    listeners = CommandListeners(config, quiet=quiet, draws=False)
    with listeners:
        if RunFolder(Path(config.output_dir)).is_run():
            resume(config.output_dir, listeners.all)
        else:
            train(config, listeners.all)
    return listeners.ended


def measured_point(run: Run, weight: Weight, folder: Path) -> FrontierPoint:
    """Write the file of a completed run beside it, and measure what it decodes to.

    Args:
        run: within ``folder``.
        weight: its lambda.
        folder: of the frontier.

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
    quality = QualityMeter(run.target, spread_pixels(run.target, MOST_PIXELS)).measure(
        coded.network
    )
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
