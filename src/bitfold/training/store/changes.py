"""``changes.jsonl``: the settings and targets that were changed while a run trained."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bitfold.errors import ConfigError, RunError
from bitfold.runtime.atomic_files import AppendOnlyFile
from bitfold.runtime.strangers.bounded_json import parse_json
from bitfold.runtime.strangers.plain_files import open_plain, read_plain
from bitfold.training.config.configuration import Config
from bitfold.training.config.continuation import resumable_settings
from bitfold.training.config.setting import Setting
from bitfold.training.config.setting_group import settings_of

#: A longer file is refused before it is read. A change takes about 100 bytes.
MAX_BYTES = 2**20
#: So many changes may act before one epoch; each makes a learner anew.
MOST_AT_ONCE = 500
#: The largest number of an epoch, and of a numbered target or split.
_MAX_NUMBER = 2**53
_FIELDS = {"epoch", "settings", "before", "target", "split"}


@dataclass(frozen=True)
class Change:
    """Settings, the target or the points, altered in a live run before an epoch.

    Args:
        epoch: the first epoch that is trained with the change, at least 1.
        settings: the changed settings, name to new value.
        before: the same settings as they were.
        target: number of the new target's file in the run's folder; None if it stays.
        split: number of the new split's file in the run's folder; None if it stays.
    """

    epoch: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    target: int | None = None
    split: int | None = None

    def is_superseded_by(self, later: Change | None) -> bool:
        """Whether a change that follows at once leaves nothing of this one: both only paint.

        Args:
            later: the next change; None if there is none.
        """
        return (
            later is not None
            and later.epoch == self.epoch
            and not (self.settings or later.settings)
            and None not in {self.target, later.target}
        )

    def line(self) -> bytes:
        """Return its line in the file."""
        values: dict[str, Any] = {"epoch": self.epoch}
        if self.settings:
            values |= {"settings": dict(self.settings), "before": dict(self.before)}
        values |= {n: v for n in ("target", "split") if (v := getattr(self, n)) is not None}
        return (json.dumps(values, allow_nan=False) + "\n").encode()


@dataclass(frozen=True)
class Changes:
    """The changes of a run, in the order in which they were made.

    Args:
        items: by ascending epoch; those of one epoch act in this order.
    """

    items: tuple[Change, ...] = ()

    def num_acting(self, epoch: int) -> int:
        """Return how many changes act before an epoch, other than those that others supersede."""
        found = [item for item in self.items if item.epoch == epoch]
        followers = (*found[1:], None)
        return sum(not a.is_superseded_by(b) for a, b in zip(found, followers, strict=False))

    def until(self, epoch: int) -> Changes:
        """Return the changes that act before the epochs 1 to ``epoch``."""
        return Changes(tuple(item for item in self.items if item.epoch <= epoch))

    def undo(self, config: Config) -> Config:
        """Return the configuration that a run began with, from its newest one."""
        return _replaced(config, [item.before for item in reversed(self.items)])

    def apply(self, config: Config) -> Config:
        """Return the newest configuration, from the one that a run began with."""
        return _replaced(config, [item.settings for item in self.items])

    def target_number(self) -> int:
        """Return the number of the newest target; 0 for the one that the run began with."""
        return next((c.target for c in reversed(self.items) if c.target is not None), 0)

    def split_number(self) -> int:
        """Return the number of the newest split; 0 for the one that the run began with."""
        return next((c.split for c in reversed(self.items) if c.split is not None), 0)


def _replaced(config: Config, settings: Iterable[Mapping[str, Any]]) -> Config:
    """Return a configuration with many settings, of which later ones count.

    It is checked once: a stranger's file may hold tens of thousands of changes.
    """
    merged: dict[str, Any] = {}
    for some in settings:
        merged |= some
    return config.replace(**merged) if merged else config


#: The changes of a run that nobody touched.
NO_CHANGES = Changes()


def read_changes(path: Path) -> Changes:
    """Read the changes of a run; a torn last line did not happen.

    Args:
        path: the file; without it nothing was changed.

    Raises:
        RunError: the file is too long, a whole line of it is no change, or more than `MOST_AT_ONCE`
            changes act before one epoch.
    """
    try:
        lines = read_plain(path, MAX_BYTES).split(b"\n")[:-1]
    except FileNotFoundError:
        return Changes()
    except OSError as error:
        raise RunError(f"Cannot read {path}: {error.strerror}.") from None
    items: list[Change] = []
    for number, line in enumerate(lines, 1):
        change = _change_of(line)
        if change is None or (items and change.epoch < items[-1].epoch):
            raise _damaged(path, f"a change in line {number}", "another text")
        items.append(change)
    found = Changes(tuple(items))
    crowded = _crowded_epoch(found)
    if crowded is not None:
        raise _damaged(path, f"at most {MOST_AT_ONCE} changes before epoch {crowded}", "more")
    return found


def check_room(place: Path, path: Path, changes: Changes) -> None:
    """Refuse the newest change if `read_changes` would refuse the file with it.

    Args:
        place: the folder of the run, for the error.
        path: the file.
        changes: all changes, the newest last; it is not yet in the file.

    Raises:
        RunError: there are too many.
    """
    newest = changes.items[-1]
    if changes.num_acting(newest.epoch) > MOST_AT_ONCE:
        raise RunError(
            f"Cannot change {place}: expected at most {MOST_AT_ONCE} changes before epoch "
            f"{newest.epoch}, got more. Train an epoch first."
        )
    num_bytes = path.lstat().st_size if path.exists() else 0
    if num_bytes + len(newest.line()) > MAX_BYTES:
        raise RunError(
            f"Cannot change {place}: expected at most {MAX_BYTES:,} bytes of changes, got more. "
            "Train it on as it is, or begin a new run."
        )


def _crowded_epoch(changes: Changes) -> int | None:
    """Return an epoch before which too many changes act."""
    counts = Counter(item.epoch for item in changes.items)
    many = (epoch for epoch, count in counts.items() if count > MOST_AT_ONCE)
    return next((epoch for epoch in many if changes.num_acting(epoch) > MOST_AT_ONCE), None)


def append_change(path: Path, change: Change) -> None:
    """Write a change to the disk itself, after cutting off a torn last line.

    Raises:
        OSError: the disk is full or fails; the file is as before.
    """
    _cut_torn_line(path)
    file = AppendOnlyFile(path)
    try:
        file.append(change.line())
        file.sync()
    finally:
        file.close()


def _cut_torn_line(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError), open_plain(path, "r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


def _change_of(line: bytes) -> Change | None:
    try:
        values = parse_json(line)
    except ValueError:
        return None
    if not isinstance(values, dict) or values.keys() - _FIELDS or "epoch" not in values:
        return None
    settings, before = values.get("settings", {}), values.get("before", {})
    are_known = _is_number(values["epoch"], 1) and all(
        _is_number(values[name], 1) for name in ("target", "split") if name in values
    )
    if not are_known or not _are_settings(settings, before):
        return None
    return Change(values["epoch"], settings, before, values.get("target"), values.get("split"))


def _are_settings(settings: object, before: object) -> bool:
    if not isinstance(settings, dict) or not isinstance(before, dict):
        return False
    allowed = _resumable()
    if settings.keys() != before.keys() or settings.keys() - allowed.keys():
        return False
    try:
        for name in settings:
            allowed[name].check(name, settings[name])
            allowed[name].check(name, before[name])
    except ConfigError:
        return False
    return True


@cache
def _resumable() -> dict[str, Setting]:
    return {n: s for n, _, s in settings_of(Config) if n in resumable_settings()}


def _is_number(value: object, least: int) -> bool:
    return type(value) is int and least <= value <= _MAX_NUMBER


def _damaged(path: Path, expected: str, got: str) -> RunError:
    return RunError(
        f"Cannot read changes {path}: expected {expected}, got {got}. Restore it from a copy of "
        "the run."
    )
