"""Starting a run in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from bitfold.targets import load_target, sample_split
from bitfold.training.config.configuration import Config
from bitfold.training.events import Listener
from bitfold.training.run.run import Run, load_run
from bitfold.training.session import Session
from bitfold.training.step.learner import Learner
from bitfold.training.step.resources import choose_threads, usable_device
from bitfold.training.store.folder import RunFolder, new_run_folder
from bitfold.training.watch.fold_monitor import fold_monitor_of
from bitfold.training.watch.oversight import oversight_of


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
    folder = RunFolder(absolute_path(new_run_folder(config).path))
    settled = config.settled().replace(
        task=target.task, threads=choose_threads(config, target), output_dir=str(folder.path)
    )
    with limited_threads(settled.threads):
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


@contextmanager
def limited_threads(number: int) -> Iterator[None]:
    """Let PyTorch compute with a number of threads while the block lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def absolute_path(path: Path) -> Path:
    """Return a path that a later change of folder does not move."""
    return path.expanduser().resolve()
