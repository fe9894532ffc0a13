"""Continuing a run from its newest checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitfold.audit import GradientAudit
from bitfold.runtime.strangers.user_paths import absolute_path
from bitfold.training.config.configuration import UNPLANNED_EPOCHS
from bitfold.training.events import Listener
from bitfold.training.lineage.run import Run
from bitfold.training.new_run import train_to_the_end
from bitfold.training.run.opening import newest_start
from bitfold.training.run.record import RunRecord
from bitfold.training.session import Session
from bitfold.training.step.resources import limited_threads, usable_device
from bitfold.training.watch.gradient_audit import audit_learner


def resume(path: str | Path, listeners: Sequence[Listener] = (), **changes: Any) -> Run:
    """Continue a run from its newest checkpoint.

    Metrics and trajectory are cut back to that checkpoint first. On the same machine, with the same
    versions and threads, in eager mode, the metrics are bit for bit those of an uninterrupted run.

    Args:
        path: the folder of the run.
        listeners: as for `train`.
        changes: settings to change, such as ``epochs=2000``, which also ends a budget of
            ``minutes``. ``minutes`` counts the time of the whole run.

    Raises:
        RunError: the folder holds no run, or another process trains in it; or the run keeps
            checkpoints or frames outside its folder, and ``checkpoint_dir`` or ``snapshot_dir`` is
            not repeated.
        CheckpointError: no checkpoint is whole and this network's.
        ConfigError: a change that would make another run, such as of ``shape``.
    """
    if "epochs" in changes:
        changes = {"minutes": None, **changes}
    elif changes.get("minutes") is not None:
        changes["epochs"] = UNPLANNED_EPOCHS
    start = time.monotonic()
    return train_to_the_end(Session.resume(path, listeners, **changes), start)


def audit_run(path: str | Path, *, checkpoint_dir: str | None = None) -> GradientAudit:
    """Audit the gradients of a run at its newest checkpoint, or at its start.

    Args:
        path: the folder of the run; nothing in it is changed.
        checkpoint_dir: as for `bitfold.load_run`.

    Raises:
        RunError: the folder holds no run.
        CheckpointError: no checkpoint is whole, or the newest whole one belongs to another network.
        AuditError: a loss is not finite.
    """
    run = RunRecord.open(absolute_path(path), checkpoint_dir=checkpoint_dir)
    usable_device(run.config.device)
    with limited_threads(run.config.threads or 1):
        return audit_learner(newest_start(run).live.learner)
