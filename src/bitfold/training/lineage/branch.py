"""A run that begins in the state of another run at some epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bitfold.errors import RunError
from bitfold.training.events import Listener
from bitfold.training.lineage.copying import copy_run
from bitfold.training.run.record import RunRecord
from bitfold.training.session import Session


def branch(
    run: RunRecord, epoch: int, folder: str | Path, listeners: Sequence[Listener] = ()
) -> Path:
    """Make a run that begins in exactly the state of another run at an epoch.

    The new run copies the newest checkpoint before that epoch, and trains again from there. Its
    folder holds all that it needs: metrics, frames and changes up to the epoch too. So the first
    run may be deleted.

    Args:
        run: the run to branch from; it may be training.
        epoch: a finished epoch of the run, or 0.
        folder: of the new run; it must hold no run.
        listeners: called with the events of training up to the epoch.

    Returns:
        The folder of the new run, which has finished ``epoch`` epochs. Without changes its
        continuation is that of ``run``, bit for bit, on the same machine with the same versions.

    Raises:
        RunError: the run has not finished the epoch, or the folder holds a run.
        CheckpointError: a file of the run is damaged.
    """
    last = run.last_epoch
    if not 0 <= epoch <= last:
        raise RunError(
            f"Cannot branch {run.path} at epoch {epoch}: expected an epoch from 0 to {last}, the "
            "last one that it has finished. Train it further first."
        )
    facts = {"parent": str(run.path), "parent_epoch": epoch}
    path = copy_run(run, Path(folder), from_epoch=epoch, until=run.at(epoch), facts=facts)
    train_until(path, epoch, listeners)
    return path


def train_until(path: Path, epoch: int, listeners: Sequence[Listener]) -> None:
    """Train a copied run up to an epoch that its original has finished, and save it."""
    with Session.resume(path, listeners, least_epochs=epoch) as session:
        next(session)
        while session.epoch < epoch and not session.is_over:
            next(session)
