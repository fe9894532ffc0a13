"""What pages are told of a run: its target, its settings and its changes."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from bitfold.studio.wire.message import Message
from bitfold.targets import Target
from bitfold.targets.classes import display_class_colours, with_display_colours
from bitfold.targets.frames import to_eight_bits
from bitfold.training import Changes, Config, RunRecord

#: Marks on a time line; those of earlier epochs are left out.
_MOST_CHANGES: Final = 500
# Of one kind; more cannot be told apart.
_MOST_POINTS: Final = 20_000


def target_message(target: Target, *, can_undo: bool = False) -> Message:
    """Return the message of a target: its pixels, and what they mean.

    Classes are shown in the colours that their predictions have, and painted in their own.

    Args:
        target: what is learned.
        can_undo: whether there is a stroke to take back.
    """
    facts: dict[str, Any] = {
        "name": target.name,
        "task": target.task,
        "class_colours": None,
        "shown_colours": None,
        "is_clip": target.is_clip,
        "can_undo": can_undo,
    }
    colours, classes, pixels = target.class_colours, target.classes, target.pixels
    if colours is not None and classes is not None:
        facts["class_colours"] = colours.tolist()
        facts["shown_colours"] = display_class_colours(colours).tolist()
        eight_bits = to_eight_bits(pixels)
        rgb = np.repeat(eight_bits, 3, -1) if pixels.shape[-1] == 1 else eight_bits
        pixels = with_display_colours(rgb, classes.reshape(rgb.shape[:-1]), colours)
    return Message("target", facts, {"pixels": pixels})


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
