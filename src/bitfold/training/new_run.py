"""Starting a run in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from bitfold.targets import load_target, sample_split
from bitfold.training.config.configuration import Config
from bitfold.training.config.continuation import default_lambda_line
from bitfold.training.events import Listener, Noticed
from bitfold.training.run.run import Run, load_run
from bitfold.training.session import Session
from bitfold.training.step.learner import Learner
from bitfold.training.step.resources import choose_threads, usable_device
from bitfold.training.store.dated_folder import claimed_folder
from bitfold.training.store.folder import RunFolder
from bitfold.training.watch.fold_monitor import fold_monitor_of
from bitfold.training.watch.oversight import oversight_of


def train(config: Config, listeners: Sequence[Listener] = (), *, overwrite: bool = False) -> Run:
    """Train a network as a configuration says, and return the run.

    Args:
        config: the settings of the run.
        listeners: called with each event of `bitfold.training.events`, in order, in this thread.
            Without listeners nothing is drawn or printed; `bitfold.recording.Recorder` draws.
        overwrite: whether a run in ``config.output_dir`` may be deleted.

    Returns:
        The run; ``run.status`` tells how it ended.

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
    with limited_threads(settled.threads), _folder_of(config) as folder:
        settled = settled.replace(output_dir=str(folder.path))
        # Before anything is written, so that wrong settings leave nothing on disk.
        learner = Learner(settled, target, split)
        folder.make()
        with folder.lock():
            folder.clear(settled, overwrite=overwrite)
            folder.write_new(settled, target, split)
            run = Run(folder.path, settled)
            oversight = oversight_of(settled, fold_monitor_of(settled, target, split))
            tell(listeners, default_lambda_line(config, settled))
            Session(run, learner, oversight, epoch=0, listeners=listeners).train()
    return load_run(folder.path)


def tell(listeners: Sequence[Listener], line: str | None) -> None:
    """Send the listeners a line for a person, if there is one."""
    if line is not None:
        for listener in listeners:
            listener(Noticed(line))


@contextmanager
def _folder_of(config: Config) -> Iterator[RunFolder]:
    """Yield the folder that a configuration names, or a new dated one under ``runs/``."""
    if config.output_dir is not None:
        yield RunFolder(absolute_path(Path(config.output_dir)))
        return
    with claimed_folder(Path("runs"), config.target) as path:
        yield RunFolder(absolute_path(path))


@contextmanager
def limited_threads(number: int) -> Iterator[None]:
    """Let PyTorch use this number of threads while the block lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def absolute_path(path: Path) -> Path:
    """Return a path that does not depend on the current folder."""
    return path.expanduser().resolve()
