"""Opening a run for training: a new one in a folder of its own, or an old one at a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bitfold.errors import CheckpointError
from bitfold.runtime.atomic_files import delete_temporary_files
from bitfold.runtime.strangers.user_paths import absolute_path
from bitfold.targets import load_target, sample_split
from bitfold.training.config.configuration import UNPLANNED_EPOCHS, Config
from bitfold.training.config.continuation import default_lambda_line
from bitfold.training.run.encoding_notices import encoding_notices
from bitfold.training.run.live import Live, live_of
from bitfold.training.run.record import RunRecord
from bitfold.training.run.state import check_split
from bitfold.training.step.resources import choose_threads, limited_threads, usable_device
from bitfold.training.store.changes import Change
from bitfold.training.store.checkpoints import (
    Checkpoint,
    delete_later_checkpoints,
    read_checkpoints,
)
from bitfold.training.store.dated_folder import claimed_folder
from bitfold.training.store.folder import RunFolder
from bitfold.training.store.run_places import PLACES
from bitfold.training.store.stored_weights import check_weights
from bitfold.training.store.unwritable import unwritable
from bitfold.training.whole_epoch.support import with_epoch_loop

# A run keeps four. A stranger's folder may hold any number.
_MOST_TRIED = 8


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
    settled = config.settled().replace(
        task=target.task,
        epochs=config.epochs if config.minutes is None else UNPLANNED_EPOCHS,
        threads=choose_threads(config, target),
        log_file=None if config.log_file is None else str(absolute_path(config.log_file)),
    )
    settled = with_epoch_loop(settled, target)
    with limited_threads(settled.threads or 1), _folder_of(config) as folder, ExitStack() as lock:
        settled = settled.replace(output_dir=str(folder.path))
        # Before anything is written, so that wrong settings leave nothing on disk.
        live = live_of(RunRecord(folder.path, settled, named=frozenset(PLACES)), target, split)
        folder.make()
        lock.enter_context(folder.lock())
        folder.clear(settled, overwrite=overwrite)
        folder.write_new(settled, target, split)
        notice = default_lambda_line(config, settled)
        lines = encoding_notices(settled, target, live.learner.network)
        notices = (*([] if notice is None else [notice]), *lines)
        return Opened(live, 0, lock.pop_all(), notices=notices)


def open_old(path: str | Path, places: Mapping[str, str]) -> Opened:
    """Lock the folder of a run, and load its newest checkpoint.

    Args:
        path: the folder.
        places: the folders outside of it that the caller names, as for `RunRecord.open`.

    Raises:
        RunError: the folder holds no run, or another process trains in it; or the run keeps files
            outside its folder, and the caller does not name where.
        CheckpointError: no checkpoint is whole and this network's.
        ConfigError: this machine lacks the device.
    """
    run = RunRecord.open(absolute_path(path), **places)
    usable_device(run.config.device)
    run.check_places()
    with ExitStack() as lock:
        lock.enter_context(run.folder.lock())
        start = newest_start(run)
        _prepare_folder(run, start.epoch)
        notices = tuple(f"{line} The checkpoint before it is used." for line in start.refused)
        coming = run.changes.items[start.num_acted :]
        return Opened(start.live, start.epoch, lock.pop_all(), coming, notices)


@dataclass(frozen=True, eq=False)
class Start:
    """The state in which a run is continued.

    Args:
        live: learner and observers in that state.
        epoch: number of finished epochs.
        num_acted: number of changes that have acted.
        refused: a line for each newer checkpoint that is damaged or does not fit.
    """

    live: Live
    epoch: int = 0
    num_acted: int = 0
    refused: tuple[str, ...] = ()


def newest_start(run: RunRecord) -> Start:
    """Load the newest checkpoint that is whole and fits; for a run without any, begin anew.

    Raises:
        CheckpointError: the run has been trained, and none of its checkpoints will do.
    """
    refused: list[str] = []
    found = read_checkpoints(run.checkpoints, run.max_checkpoint_bytes)
    for checkpoint in islice(found, _MOST_TRIED):
        try:
            if isinstance(checkpoint, CheckpointError):
                raise checkpoint
            live = _live_at(run, checkpoint)
            return Start(live, checkpoint.epoch, checkpoint.num_changes, tuple(refused))
        except CheckpointError as error:
            refused.append(str(error))
    if refused or run.metrics["epoch"]:
        reason = refused[0] if refused else f"{run.checkpoints} holds none."
        raise CheckpointError(
            f"Cannot continue {run.path}: it has no whole checkpoint. {reason} Restore one, or "
            "start a new run with `overwrite=True`."
        )
    return Start(_live_at(run, None))


def _live_at(run: RunRecord, checkpoint: Checkpoint | None) -> Live:
    then = run.after(0 if checkpoint is None else checkpoint.num_changes)
    if checkpoint is not None:
        check_split(checkpoint, then.split, run.path)
        # Before a network is built that may be a stranger's, of any size.
        check_weights(then.shapes, checkpoint.within("network"), run.path)
    with limited_threads(then.config.threads or 1):
        return live_of(then, then.target, then.split, checkpoint)


@contextmanager
def _folder_of(config: Config) -> Iterator[RunFolder]:
    """Yield the folder that a configuration names, or a new dated one under ``runs/``."""
    if config.output_dir is not None:
        yield RunFolder(absolute_path(config.output_dir))
        return
    with claimed_folder(Path("runs"), config.target) as path:
        yield RunFolder(absolute_path(path))


def _prepare_folder(run: RunRecord, epoch: int) -> None:
    """Write the newest configuration, and delete the checkpoints of later epochs."""
    try:
        run.folder.write_config(run.config)
        delete_later_checkpoints(run.checkpoints, epoch)
        delete_temporary_files(run.path)
    except OSError as error:
        raise unwritable(run.path, error, then="continue it") from None
