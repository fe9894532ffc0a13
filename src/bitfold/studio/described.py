"""What pages are told of a run: its target, its settings and its changes."""

from __future__ import annotations

import dataclasses
from typing import Final

from bitfold.studio.wire.message import Message
from bitfold.targets import Target
from bitfold.training import Changes, Config

#: Marks on a time line; those of earlier epochs are left out.
_MOST_CHANGES: Final = 500


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
