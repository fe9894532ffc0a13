"""Starting a run, and continuing one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from bitfold.audit import GradientAudit
from bitfold.errors import CheckpointError, ConfigError, RunError
from bitfold.targets import load_target, sample_split
from bitfold.training.auditing import audit_learner
from bitfold.training.checkpoints import (
    Checkpoint,
    delete_later_checkpoints,
    read_newest_checkpoint,
)
from bitfold.training.config.configuration import PREDICTOR, Config, resumable_settings
from bitfold.training.config.settings import flag
from bitfold.training.events import Listener, Noticed
from bitfold.training.fold_monitor import fold_monitor_of
from bitfold.training.folder import RunFolder, new_run_folder
from bitfold.training.learner import Learner, choose_threads, usable_device
from bitfold.training.oversight import oversight_of
from bitfold.training.run import Run, load_run
from bitfold.training.session import Session
from bitfold.training.state import check_split, restore


def train(config: Config, listeners: Sequence[Listener] = (), *, overwrite: bool = False) -> Run:
    """Train a network as a configuration says, and leave a run behind.

    Source: none, ours.

    Args:
        config: what to learn and how.
        listeners: called with each event of `bitfold.training.events`, in order, in this thread.
            Without any, nothing is drawn or printed; `bitfold.recording.Recorder` draws.
        overwrite: whether a run that lies in ``config.output_dir`` may be deleted.

    Returns:
        The run; ``run.status`` says how it ended.

    Raises:
        TargetError, SamplingError: the picture cannot be loaded or is too small.
        ConfigError: the network or the device cannot be had.
        RunError: the folder holds a run, or cannot be written; nothing is left half-written.
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
    folder = RunFolder(_absolute(new_run_folder(config).path))
    settled = config.replace(
        task=target.task, threads=choose_threads(config, target), output_dir=str(folder.path)
    )
    settled = _settled(settled)
    with _limited_threads(settled.threads):
        # Made first: what is wrong with the settings shows before anything is on disk.
        learner = Learner(settled, target, split)
        folder.make()
        with folder.lock():
            folder.clear(settled, overwrite=overwrite)
            folder.write_new(settled, target, split)
            run = Run(folder.path, settled)
            oversight = oversight_of(settled, fold_monitor_of(settled, target, split))
            Session(run, learner, oversight, epoch=0, listeners=listeners).train()
    return load_run(folder.path)


def resume(path: str | Path, listeners: Sequence[Listener] = (), **changes: Any) -> Run:
    """Continue a run from its newest checkpoint.

    Metrics and trajectory are cut back to that checkpoint first. On the same machine, versions and
    threads, in eager mode, the metrics are bit for bit those of a run that was never interrupted.

    Source: none, ours.

    Args:
        path: the folder of the run.
        listeners: as for `train`.
        changes: settings that the continued run has otherwise, such as ``epochs=2000``.

    Raises:
        RunError: there is no run, or another process trains in it.
        CheckpointError: no checkpoint is whole, or the newest whole one belongs to another network.
        ConfigError: a change that would make it another run, such as of ``shape``.
    """
    before = load_run(_absolute(Path(path)))
    config = _changed(before.config, changes)
    usable_device(config.device)
    run = Run(before.path, config)
    with run.folder.lock(), _limited_threads(config.threads or 1):
        checkpoint = _newest_checkpoint(run, listeners)
        if checkpoint is not None:
            check_split(checkpoint, run.split, run.path)
        learner = Learner(config, run.target, run.split)
        oversight = oversight_of(config, fold_monitor_of(config, run.target, run.split))
        epoch = 0
        if checkpoint is not None:
            restore(checkpoint, learner, oversight, run.path)
            epoch = checkpoint.epoch
        _settle(run, epoch)
        Session(run, learner, oversight, epoch=epoch, listeners=listeners).train()
    return load_run(run.path)


def audit_run(path: str | Path) -> GradientAudit:
    """Audit the gradients of a run where it stands: at its newest checkpoint, or at its start.

    Source: none, ours.

    Args:
        path: the folder of the run; nothing in it is changed.

    Raises:
        RunError: there is no run.
        CheckpointError: no checkpoint is whole, or the newest whole one belongs to another network.
        AuditError: a loss is not finite.
    """
    run = load_run(_absolute(Path(path)))
    usable_device(run.config.device)
    with _limited_threads(run.config.threads or 1):
        checkpoint = _newest_checkpoint(run, ())
        learner = Learner(run.config, run.target, run.split)
        if checkpoint is not None:
            restore(checkpoint, learner, oversight_of(run.config), run.path)
        return audit_learner(learner)


def _changed(config: Config, changes: dict[str, Any]) -> Config:
    allowed = resumable_settings()
    if not config.has_kolmogorov:
        allowed += PREDICTOR
    for name in changes:
        if name not in allowed:
            raise ConfigError(
                f"Cannot continue a run with another {flag(name)}: it would be another run. Start "
                "one with `bitfold train`."
            )
    return _settled(config.replace(**changes))


def _settled(config: Config) -> Config:
    """Return a configuration that says outright how K is made, where it is part of the loss."""
    settings = config.kolmogorov_settings._asdict() if config.has_kolmogorov else {}
    return config.replace(**settings)


def _newest_checkpoint(run: Run, listeners: Sequence[Listener]) -> Checkpoint | None:
    """Return where to go on from; None for a run that was ended before its first checkpoint."""
    checkpoint, damaged = read_newest_checkpoint(run.checkpoints)
    if checkpoint is None and (damaged or run.metrics["epoch"]):
        reason = damaged[0] if damaged else f"There is none in {run.checkpoints}."
        raise CheckpointError(
            f"Cannot continue {run.path}: it has no whole checkpoint. {reason} Restore one, or "
            "start again with `bitfold train --overwrite`."
        )
    for line in damaged:
        for listener in listeners:
            listener(Noticed(f"{line} One before it is used."))
    return checkpoint


def _settle(run: Run, epoch: int) -> None:
    """Make the folder say what the continued run is, and drop what lies beyond its checkpoint."""
    try:
        run.folder.write_config(run.config)
        delete_later_checkpoints(run.checkpoints, epoch)
    except OSError as error:
        raise RunError(
            f"Cannot write into {run.path}: {error.strerror}. Make room, then continue it."
        ) from None


@contextmanager
def _limited_threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _absolute(path: Path) -> Path:
    """Return a path that a later change of folder does not move."""
    return path.expanduser().resolve()
