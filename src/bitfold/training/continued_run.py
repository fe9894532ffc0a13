"""Continuing a run from its newest checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitfold.audit import GradientAudit
from bitfold.errors import CheckpointError, RunError
from bitfold.training.config.continuation import changed_config, default_lambda_line
from bitfold.training.events import Listener
from bitfold.training.new_run import absolute_path, limited_threads, tell
from bitfold.training.run.run import Run, load_run
from bitfold.training.run.state import check_split, restore
from bitfold.training.session import Session
from bitfold.training.step.learner import Learner
from bitfold.training.step.resources import usable_device
from bitfold.training.store.checkpoints import (
    Checkpoint,
    delete_later_checkpoints,
    read_newest_checkpoint,
)
from bitfold.training.watch.fold_monitor import fold_monitor_of
from bitfold.training.watch.gradient_audit import audit_learner
from bitfold.training.watch.oversight import oversight_of


def resume(path: str | Path, listeners: Sequence[Listener] = (), **changes: Any) -> Run:
    """Continue a run from its newest checkpoint.

    Metrics and trajectory are cut back to that checkpoint first. On the same machine, with the same
    versions and threads, in eager mode, the metrics are bit for bit those of an uninterrupted run.

    Args:
        path: the folder of the run.
        listeners: as for `train`.
        changes: settings to change, such as ``epochs=2000``.

    Raises:
        RunError: the folder holds no run, or another process trains in it.
        CheckpointError: no checkpoint is whole, or the newest whole one belongs to another network.
        ConfigError: a change that would make another run, such as of ``shape``.
    """
    before = load_run(absolute_path(Path(path)))
    config = changed_config(before.config, changes)
    usable_device(config.device)
    run = Run(before.path, config)
    with run.folder.lock(), limited_threads(config.threads or 1):
        checkpoint = _newest_checkpoint(run, listeners)
        if checkpoint is not None:
            check_split(checkpoint, run.split, run.path)
        learner = Learner(config, run.target, run.split)
        oversight = oversight_of(config, fold_monitor_of(config, run.target, run.split))
        epoch = 0
        if checkpoint is not None:
            restore(checkpoint, learner, oversight, run.path)
            epoch = checkpoint.epoch
        _prepare_folder(run, epoch)
        tell(listeners, default_lambda_line(before.config.replace(**changes), config))
        Session(run, learner, oversight, epoch=epoch, listeners=listeners).train()
    return load_run(run.path)


def audit_run(path: str | Path) -> GradientAudit:
    """Audit the gradients of a run at its newest checkpoint, or at its start.

    Args:
        path: the folder of the run; nothing in it is changed.

    Raises:
        RunError: the folder holds no run.
        CheckpointError: no checkpoint is whole, or the newest whole one belongs to another network.
        AuditError: a loss is not finite.
    """
    run = load_run(absolute_path(Path(path)))
    usable_device(run.config.device)
    with limited_threads(run.config.threads or 1):
        checkpoint = _newest_checkpoint(run, ())
        learner = Learner(run.config, run.target, run.split)
        if checkpoint is not None:
            restore(checkpoint, learner, oversight_of(run.config), run.path)
        return audit_learner(learner)


def _newest_checkpoint(run: Run, listeners: Sequence[Listener]) -> Checkpoint | None:
    """Return the newest whole checkpoint; None for a run that ended before its first."""
    checkpoint, damaged = read_newest_checkpoint(run.checkpoints)
    if checkpoint is None and (damaged or run.metrics["epoch"]):
        reason = damaged[0] if damaged else f"{run.checkpoints} holds none."
        raise CheckpointError(
            f"Cannot continue {run.path}: it has no whole checkpoint. {reason} Restore one, or "
            "start a new run with `overwrite=True`."
        )
    for line in damaged:
        tell(listeners, f"{line} The checkpoint before it is used.")
    return checkpoint


def _prepare_folder(run: Run, epoch: int) -> None:
    """Write the changed configuration, and delete the checkpoints of later epochs."""
    try:
        run.folder.write_config(run.config)
        delete_later_checkpoints(run.checkpoints, epoch)
    except OSError as error:
        raise RunError(
            f"Cannot write into {run.path}: {error.strerror}. Make room, then continue it."
        ) from None
