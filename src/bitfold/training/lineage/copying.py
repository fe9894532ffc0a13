"""A run's folder copied as it was at some epoch, for a run that goes another way from there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bitfold.errors import CheckpointError
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.strangers.plain_files import check_plain
from bitfold.runtime.strangers.user_paths import absolute_path
from bitfold.training.run.record import RunRecord
from bitfold.training.store.checkpoints import (
    checkpoint_epoch,
    checkpoint_path,
    checkpoint_paths,
    read_kept_checkpoint,
)
from bitfold.training.store.folder import RunFolder
from bitfold.training.store.run_places import own_folder
from bitfold.training.store.unwritable import unwritable

# Links take no room.
_MAX_LINKED_BYTES = 2**40


def copy_run(
    run: RunRecord, folder: Path, *, from_epoch: int, until: RunRecord, facts: Mapping[str, Any]
) -> Path:
    """Write the folder of a run that begins as another run was.

    Args:
        run: the run to copy from; it may be training.
        folder: of the new run; it is made, and must hold no run.
        from_epoch: the copy begins at the newest checkpoint of at most this epoch; 0 begins at the
            start.
        until: the record of ``run`` with the changes that the new run is to make.
        facts: for the new run's ``run.json``.

    Returns:
        The folder, ready for `Session.resume`.

    Raises:
        RunError: the folder holds a run, or cannot be written; no partial run is left behind.
        CheckpointError, TrajectoryError: a file of the run is damaged.
    """
    new = RunFolder(absolute_path(folder))
    start = run.after(0)
    config = start.config.replace(
        output_dir=str(new.path), checkpoint_dir="checkpoints", snapshot_dir="snapshots"
    )
    found = _checkpoint_before(run, from_epoch) if from_epoch else None
    new.make()
    with new.lock():
        new.clear(config, overwrite=False)
        with _all_or_nothing(new):
            _copy_numbered(run.folder, new, until)
            if until.changes.items:
                lines = b"".join(change.line() for change in until.changes.items)
                write_atomically(new.changes, lines)
            if found is not None:
                _copy_history(run.folder, new)
                _copy_checkpoints(run, new, found)
            new.write_new(config, start.target, start.split)
            new.write_status({**new.read_status(), **facts})
    return new.path


def _checkpoint_before(run: RunRecord, epoch: int) -> Path | None:
    """Return the newest whole checkpoint of at most an epoch."""
    for path in reversed(checkpoint_paths(run.checkpoints)):
        if 0 < checkpoint_epoch(path) <= epoch:
            try:
                read_kept_checkpoint(path, run.max_checkpoint_bytes)
            except CheckpointError:
                continue
            return path
    return None


def _copy_numbered(old: RunFolder, new: RunFolder, run: RunRecord) -> None:
    for number in range(1, run.changes.target_number() + 1):
        _copy(old.numbered_target(number), new.numbered_target(number))
    for number in range(1, run.changes.split_number() + 1):
        _copy(old.numbered_split(number), new.numbered_split(number))


def _copy_history(old: RunFolder, new: RunFolder) -> None:
    """Copy metrics and frames; those of later epochs are cut off when the new run is opened."""
    for name in ("metrics", "trajectory"):
        source = getattr(old, name)
        if source.exists():
            _copy(source, getattr(new, name))


def _copy_checkpoints(run: RunRecord, new: RunFolder, newest: Path) -> None:
    """Copy a checkpoint, and with a budget for older ones those before it too.

    A checkpoint is never changed in place, so those before it are linked where the disk can.
    """
    folder = own_folder(new.path, "checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    last = checkpoint_epoch(newest)
    _copy(newest, checkpoint_path(folder, last))
    if run.config.checkpoint_budget == 0:
        return
    for path in checkpoint_paths(run.checkpoints):
        if checkpoint_epoch(path) < last:
            with suppress(FileNotFoundError):  # the run may be training, and thin them out
                _link(path, checkpoint_path(folder, checkpoint_epoch(path)))


def _link(source: Path, target: Path) -> None:
    check_plain(source, _MAX_LINKED_BYTES)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    # A file with holes may say that it is larger than any disk; its copy would have none.
    check_plain(source, shutil.disk_usage(target.parent).free)
    shutil.copyfile(source, target, follow_symlinks=False)


@contextmanager
def _all_or_nothing(new: RunFolder) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        new.delete()
        if isinstance(error, OSError):
            raise unwritable(new.path, error, then="try again, or choose another folder") from None
        raise
