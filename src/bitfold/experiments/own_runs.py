"""Runs that an experiment made: each is gone on with where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bitfold.training import PLACES, Config, Listener, RunFolder, Session, load_run
from bitfold.training.ending import UNSAVED
from bitfold.training.store.checkpoints import checkpoint_paths


def begun_or_continued(config: Config, listeners: Sequence[Listener]) -> Session:
    """Open a session for an experiment's run.

    A run in the folder goes on from its newest checkpoint. If a full disk left it without one, it
    is deleted and begins again.

    Args:
        config: of the run, with its folder.
        listeners: called with every event of the training.

    Raises:
        RunError: another process trains in the folder, or it cannot be written.
        CheckpointError: no checkpoint is whole and this network's.
    """
    assert config.output_dir is not None
    is_old = RunFolder(Path(config.output_dir)).is_run()
    places = {name: getattr(config, name) for name in PLACES}
    if is_old:
        run = load_run(config.output_dir, **places)
        was_unsaved = run.status.get("status") == UNSAVED
        if not was_unsaved or checkpoint_paths(run.checkpoints):
            return Session.resume(config.output_dir, listeners, **places)
    return Session(config, listeners, overwrite=is_old)
