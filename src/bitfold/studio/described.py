"""What pages are told of a run: its target, its settings and its changes."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from bitfold.studio.wire.message import Message
from bitfold.targets import Target
from bitfold.training import Changes, Config, RunRecord

#: Marks on a time line; those of earlier epochs are left out.
_MOST_CHANGES: Final = 500
# Of one kind; more cannot be told apart.
_MOST_POINTS: Final = 20_000


def target_message(target: Target, *, can_undo: bool = False) -> Message:
    """Return the message of a target: its pixels, and what they mean.

    Args:
        target: what is learned.
        can_undo: whether there is a stroke to take back.
    """
    colours = None if target.class_colours is None else target.class_colours.tolist()
    facts = {
        "name": target.name,
        "task": target.task,
        "class_colours": colours,
        "is_clip": target.is_clip,
        "can_undo": can_undo,
    }
    return Message("target", facts, {"pixels": target.pixels})


def settings_message(config: Config) -> Message:
    """Return the message of all settings, name to value."""
    return Message("settings", {"settings": dataclasses.asdict(config)})


def changes_message(changes: Changes) -> Message:
    """Return the message of what was changed, by the epochs from which on it acts."""
    found = [
        {
            "epoch": change.epoch,
            "settings": dict(change.settings),
            "before": dict(change.before),
            "is_painted": change.target is not None,
        }
        for change in changes.items[-_MOST_CHANGES:]
    ]
    return Message("changes", {"changes": found})


def points_message(run: RunRecord) -> Message:
    """Return the message of the points that are learned, and of those that validate.

    Of a clip, those of the frame in its middle; of many points, every k-th.

    Args:
        run: the record of the run.

    Returns:
        ``points``, with ``training`` and ``validation``: float32 (N, 2), x and y in the picture.
    """
    grid = run.target.grid
    frame = grid.frame_at(0.0) if grid.is_clip else 0
    arrays = {}
    for name, indices in (("training", run.split.training), ("validation", run.split.validation)):
        found = indices[indices // (grid.width * grid.height) == frame]
        found = found[:: -(-len(found) // _MOST_POINTS) or 1]
        arrays[name] = np.ascontiguousarray(grid.coordinates(found)[:, :2], np.float32)
    counts = {name: len(getattr(run.split, name)) for name in arrays}
    return Message("points", {"counts": counts}, arrays)
