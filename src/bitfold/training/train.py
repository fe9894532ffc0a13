"""Starting a run, and continuing one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitfold.errors import ConfigError
from bitfold.targets import load_target, sample_split
from bitfold.training.checkpoints import delete_later_checkpoints, read_newest_checkpoint
from bitfold.training.configuration import FIXED, PREDICTOR, Config
from bitfold.training.events import Listener, Noticed, RunEnded
from bitfold.training.folder import RunFolder, new_run_folder
from bitfold.training.learner import Learner, choose_threads, usable_device
from bitfold.training.run import Run, build_network, load_run
from bitfold.training.session import Session, absolute, limit_threads
from bitfold.training.settings import flag, settings_of
from bitfold.training.state import check_split, restore, restore_watchdogs
from bitfold.training.watchdogs import make_watchdogs


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
    build_network(config, target)
    folder = RunFolder(absolute(new_run_folder(config).path))
    settled = config.replace(
        task=target.task, threads=choose_threads(config, target), output_dir=str(folder.path)
    )
    folder.prepare(overwrite=overwrite)
    with folder.lock():
        folder.write_new(settled, target, split)
        _train_on(Run(folder.path, settled), settled, listeners)
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
        CheckpointError: the checkpoint belongs to another network.
        ConfigError: a change that would make it another run, such as of ``shape``.
    """
    run = load_run(absolute(Path(path)))
    config = _changed(run.config, changes)
    usable_device(config.device)
    with run.folder.lock():
        run.folder.write_config(config)
        _train_on(Run(run.path, config), run.config, listeners)
    return load_run(run.path)


def resumable_settings() -> list[str]:
    """Return the names of the settings that `resume` may change."""
    return [name for name, _, _ in settings_of(Config) if name not in FIXED | PREDICTOR]


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
    return config.replace(**changes)


def _train_on(run: Run, before: Config, listeners: Sequence[Listener]) -> RunEnded:
    """Train from the newest whole checkpoint of a locked folder, or from the beginning."""
    threads = limit_threads(run.config.threads or 1)
    try:
        checkpoint, damaged = read_newest_checkpoint(run.checkpoints)
        for line in damaged:
            for listener in listeners:
                listener(Noticed(line))
        learner = Learner(run.config, run.target, run.split)
        watchdogs = make_watchdogs(run.config.no_watchdog)
        epoch = 0
        if checkpoint is not None:
            restore(checkpoint, before, learner, run.path)
            restore_watchdogs(checkpoint, watchdogs)
            check_split(checkpoint, run.split, run.path)
            epoch = checkpoint.epoch
        delete_later_checkpoints(run.checkpoints, epoch)
        return Session(run, learner, watchdogs, epoch=epoch, listeners=listeners).train()
    finally:
        limit_threads(threads)
