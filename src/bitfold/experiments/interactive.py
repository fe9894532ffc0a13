"""Training from Python, with a bar where a person watches in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitfold import recording, training
from bitfold.training import Config, Listener, Run


def train(
    config: Config,
    listeners: Sequence[Listener] = (),
    *,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Run:
    """Train a network as a configuration says, and return the run.

    Args:
        config: the settings of the run.
        listeners: called with each event of `bitfold.training.events`, in order, in this thread.
            `bitfold.recording.Recorder` draws; without it nothing is drawn.
        overwrite: whether a run in ``config.output_dir`` may be deleted.
        progress: whether to show a bar; by default in a notebook, if there are no listeners.

    Returns:
        The run; ``run.status`` tells how it ended.

    Raises:
        TargetError, SamplingError: the picture cannot be loaded, or is too small.
        ConfigError: this machine lacks the device, or settings contradict the picture.
        RunError: the folder holds a run, or cannot be written; no partial run is left behind.
    """
    return training.train(config, _with_bar(listeners, progress), overwrite=overwrite)


def resume(
    path: str | Path,
    listeners: Sequence[Listener] = (),
    *,
    progress: bool | None = None,
    **changes: Any,
) -> Run:
    """Continue a run from its newest checkpoint.

    Metrics and trajectory are cut back to that checkpoint first. On the same machine, with the same
    versions and threads, in eager mode, the metrics are bit for bit those of an uninterrupted run.

    Args:
        path: the folder of the run.
        listeners: as for `train`.
        progress: as for `train`.
        changes: settings to change, such as ``epochs=2000``.

    Raises:
        RunError: the folder holds no run, or another process trains in it.
        CheckpointError: no checkpoint is whole, or the newest whole one belongs to another network.
        ConfigError: there is no setting of that name, or a change would make another run.
    """
    return training.resume(path, _with_bar(listeners, progress), **changes)


def _with_bar(listeners: Sequence[Listener], progress: bool | None) -> list[Listener]:
    is_shown = (not listeners and recording.is_in_notebook()) if progress is None else progress
    return [*([recording.NotebookBar()] if is_shown else []), *listeners]
