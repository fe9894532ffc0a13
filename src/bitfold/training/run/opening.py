"""Opening a run for training: a new one in a folder of its own, or an old one at a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bitfold.errors import CheckpointError, RunError
from bitfold.targets import load_target, sample_split
from bitfold.training.config.configuration import Config
from bitfold.training.config.continuation import default_lambda_line
from bitfold.training.run.live import Live, live_of
from bitfold.training.run.record import RunRecord, open_record
from bitfold.training.run.state import check_split
from bitfold.training.step.resources import choose_threads, limited_threads, usable_device
from bitfold.training.store.changes import Change
from bitfold.training.store.checkpoints import (
    Checkpoint,
    delete_later_checkpoints,
    read_newest_checkpoint,
)
from bitfold.training.store.dated_folder import claimed_folder
from bitfold.training.store.folder import RunFolder


@dataclass(frozen=True, eq=False)
class Opened:
    """A run that is ready to be trained.

    Args:
        live: learner and observers in the state after ``epoch`` epochs.
        epoch: number of finished epochs.
        lock: releases the run's folder when it is closed.
        coming: recorded changes that are still to act, since the run is trained again from an
            earlier epoch.
        notices: lines for a person.
    """

    live: Live
    epoch: int
    lock: ExitStack
    coming: tuple[Change, ...] = ()
    notices: tuple[str, ...] = ()


def open_new(config: Config, *, overwrite: bool) -> Opened:
    """Make the folder of a new run, lock it, and write the files that a run begins with.

    Raises:
        TargetError, SamplingError: the picture cannot be loaded, or is too small.
        ConfigError: this machine lacks the device, or settings contradict the picture.
        RunError: the folder holds a run, or cannot be written; no partial run is left behind.
    """
    usable_device(config.device)
    target = load_target(config.target, size=config.size, task=config.task)
    split = sample_split(
        target,
        points=config.points,
        validation_points=config.validation_points,
        batch_size=config.batch_size,
        seed=config.seed,
    )
    settled = config.settled().replace(task=target.task, threads=choose_threads(config, target))
    with limited_threads(settled.threads or 1), _folder_of(config) as folder, ExitStack() as lock:
        settled = settled.replace(output_dir=str(folder.path))
        # Before anything is written, so that wrong settings leave nothing on disk.
        live = live_of(RunRecord(folder.path, settled), target, split)
        folder.make()
        lock.enter_context(folder.lock())
        folder.clear(settled, overwrite=overwrite)
        folder.write_new(settled, target, split)
        notice = default_lambda_line(config, settled)
        return Opened(live, 0, lock.pop_all(), notices=() if notice is None else (notice,))


def open_old(path: str | Path) -> Opened:
    """Lock the folder of a run, and load its newest checkpoint.

    Raises:
        RunError: the folder holds no run, or another process trains in it.
        CheckpointError: no checkpoint is whole, or it belongs to another network.
        ConfigError: this machine lacks the device.
    """
    run = open_record(absolute_path(Path(path)))
    usable_device(run.config.device)
    with ExitStack() as lock:
        lock.enter_context(run.folder.lock())
        checkpoint, damaged = newest_checkpoint(run)
        num_acted = 0 if checkpoint is None else checkpoint.num_changes
        then = run.after(num_acted)
        if checkpoint is not None:
            check_split(checkpoint, then.split, run.path)
        with limited_threads(then.config.threads or 1):
            live = live_of(then, then.target, then.split, checkpoint)
        epoch = 0 if checkpoint is None else checkpoint.epoch
        _prepare_folder(run, epoch)
        coming = run.changes.items[num_acted:]
        notices = tuple(f"{line} The checkpoint before it is used." for line in damaged)
        return Opened(live, epoch, lock.pop_all(), coming, notices)


def newest_checkpoint(run: RunRecord) -> tuple[Checkpoint | None, list[str]]:
    """Read the newest whole checkpoint; None for a run that ended before its first.

    Returns:
        The checkpoint, and a line for each newer one that is damaged.

    Raises:
        CheckpointError: no checkpoint is whole.
    """
    checkpoint, damaged = read_newest_checkpoint(run.checkpoints)
    if checkpoint is None and (damaged or run.metrics["epoch"]):
        reason = damaged[0] if damaged else f"{run.checkpoints} holds none."
        raise CheckpointError(
            f"Cannot continue {run.path}: it has no whole checkpoint. {reason} Restore one, or "
            "start a new run with `overwrite=True`."
        )
    return checkpoint, damaged


@contextmanager
def _folder_of(config: Config) -> Iterator[RunFolder]:
    """Yield the folder that a configuration names, or a new dated one under ``runs/``."""
    if config.output_dir is not None:
        yield RunFolder(absolute_path(Path(config.output_dir)))
        return
    with claimed_folder(Path("runs"), config.target) as path:
        yield RunFolder(absolute_path(path))


def absolute_path(path: Path) -> Path:
    """Return a path that does not depend on the current folder."""
    return path.expanduser().resolve()


def _prepare_folder(run: RunRecord, epoch: int) -> None:
    """Write the newest configuration, and delete the checkpoints of later epochs."""
    try:
        run.folder.write_config(run.config)
        delete_later_checkpoints(run.checkpoints, epoch)
    except OSError as error:
        raise RunError(
            f"Cannot write into {run.path}: {error.strerror}. Make room, then continue it."
        ) from None
