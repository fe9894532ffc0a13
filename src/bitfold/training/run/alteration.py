"""A change of a live run: checked, then written, and only then in force."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from bitfold.errors import ConfigError
from bitfold.targets import Split, Target, sample_split, write_target
from bitfold.training.config.configuration import Config
from bitfold.training.config.continuation import changed_config
from bitfold.training.run.record import RunRecord
from bitfold.training.store.changes import Change, Changes, append_change, check_room
from bitfold.training.store.unwritable import unwritable

_POINTS = ("points", "validation_points")


@dataclass(frozen=True, eq=False)
class Alteration:
    """A change with all that it leads to.

    Args:
        change: the change.
        run: the record of the run with the change.
        target: the target with the change.
        split: the points with the change.
    """

    change: Change
    run: RunRecord
    target: Target
    split: Split

    def write(self) -> None:
        """Write the change to the disk itself.

        Raises:
            RunError: the disk is full or fails, or the run has had too many changes; then there is
                no change.
        """
        change, folder = self.change, self.run.folder
        check_room(self.run.path, folder.changes, self.run.changes)
        try:
            if change.target is not None:
                write_target(folder.numbered_target(change.target), self.target)
            if change.split is not None:
                folder.write_split(self.split, change.split)
            append_change(folder.changes, change)
        except OSError as error:
            raise unwritable(self.run.path, error, do="change", then="try again") from None
        # The change is made; whoever opens the run works its configuration out.
        with suppress(OSError):
            folder.write_config(self.run.config)


def alteration_of(
    run: RunRecord, epoch: int, settings: Mapping[str, Any], target: Target | None = None
) -> Alteration | None:
    """Check a change and work out what it leads to; nothing is written.

    Args:
        run: the record of the run, with all changes so far.
        epoch: the first epoch that is to be trained with the change.
        settings: name to new value.
        target: the new target; None if it stays.

    Returns:
        The change; None if nothing would be different.

    Raises:
        ConfigError: a setting may not change, or has a wrong value; or the target's shape or task
            differs.
        SamplingError: the target has fewer points than are asked for.
    """
    config = changed_config(run.config, settings)
    before, after = _differences(run.config, config)
    if target is not None and not _differs(run.target, target):
        target = None
    if not after and target is None:
        return None
    shown = run.target if target is None else target
    split = _new_split(run, config, target, redraw=not after.keys().isdisjoint(_POINTS))
    change = Change(
        epoch,
        after,
        before,
        target=None if target is None else run.changes.target_number() + 1,
        split=None if split is None else run.changes.split_number() + 1,
    )
    changes = Changes((*run.changes.items, change))
    altered = replace(run, config=config, changes=changes)
    return Alteration(change, altered, shown, run.split if split is None else split)


def _differences(before: Config, after: Config) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings that differ, as they were and as they are."""
    names = [f.name for f in fields(Config) if getattr(before, f.name) != getattr(after, f.name)]
    return ({n: getattr(before, n) for n in names}, {n: getattr(after, n) for n in names})


def _differs(old: Target, new: Target) -> bool:
    same_kind = (
        old.task == new.task and old.grid == new.grid and old.out_features == new.out_features
    )
    if not same_kind:
        raise ConfigError(
            f"Cannot change the target: expected a {old.task} target of {old.grid.width} x "
            f"{old.grid.height} pixels with {old.out_features} outputs, got {new.task}, "
            f"{new.grid.width} x {new.grid.height}, {new.out_features}. Start a new run instead."
        )
    same_classes = old.classes is None or np.array_equal(old.classes, new.classes)  # type: ignore[arg-type] # both or none, as the task is the same
    return not (same_classes and np.array_equal(old.pixels, new.pixels))


def _new_split(
    run: RunRecord, config: Config, target: Target | None, *, redraw: bool
) -> Split | None:
    """Return the points to change to, or None if they stay."""
    shown = run.target if target is None else target
    if not redraw and (target is None or _is_usable(run.split, target)):
        return None
    return sample_split(
        shown,
        points=config.points,
        validation_points=config.validation_points,
        batch_size=config.batch_size,
        seed=config.seed,
    )


def _is_usable(split: Split, target: Target) -> bool:
    if target.classes is None:
        return True
    return bool((target.classes[np.concatenate([split.training, split.validation])] >= 0).all())
