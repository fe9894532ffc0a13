"""``sweep.json``: the settings of a sweep, its members, and how each ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bitfold.errors import ConfigError
from bitfold.experiments.stored_record import StoredRecord
from bitfold.experiments.sweeps.member_end import MemberEnd, parse_end
from bitfold.experiments.sweeps.plans.grid import MOST_MEMBERS, OWN_SETTINGS, Plan
from bitfold.experiments.sweeps.plans.member import Member, as_json, distinct_name, member_name
from bitfold.runtime.strangers.bounded_json import shortened
from bitfold.training import PLACES, Config, config_from_mapping, settings_mapping, settings_of

NAME = "sweep.json"
_FORMAT, _VERSION = "bitfold sweep", 1
_MAX_BYTES = 2**26  # of the most members, with all their metrics
_MAX_NAME_BYTES = 200
#: Names that something else in a sweep's folder has.
_TAKEN: Final = frozenset({NAME, "sweep.csv", "compare.html"})


@dataclass(frozen=True)
class SweepRecord:
    """The content of ``sweep.json``.

    Args:
        settings: name to value of the settings that all members share.
        varied: names of the settings that members have for themselves.
        members: in order.
        ends: name of a member to how it ended; those that are to be trained have none.
        writes_files: whether completed members are coded as model files.
        part: (i, n) if this folder trains the i-th of n parts of the members alone, from 1.
    """

    settings: Mapping[str, Any]
    varied: tuple[str, ...]
    members: tuple[Member, ...]
    ends: Mapping[str, MemberEnd] = field(default_factory=dict)
    writes_files: bool = True
    part: tuple[int, int] | None = None

    @property
    def own_members(self) -> tuple[Member, ...]:
        """The members that this folder trains: all, or those of its part."""
        if self.part is None:
            return self.members
        number, of = self.part
        return self.members[number - 1 :: of]

    def missing(self) -> list[Member]:
        """The members that are to be trained, in order."""
        return [
            member
            for member in self.own_members
            if member.name not in self.ends or not self.ends[member.name].is_final
        ]

    def shared_config(self) -> Config:
        """The settings that all members share, as a configuration.

        Raises:
            ConfigError: a setting is none.
        """
        return config_from_mapping(self.settings, place=NAME)

    def extended(self, plan: Plan, folder: Path) -> SweepRecord:
        """Return a copy with the members of a plan too.

        Args:
            plan: its members that are here already keep their names and ends.
            folder: of the sweep, for errors.

        Raises:
            ConfigError: the plan shares other settings.
        """
        shared = shared_settings(plan.shared)
        varied = tuple(dict.fromkeys((*self.varied, *plan.varied)))
        _check_same(self.settings, shared, varied, folder)
        # Shared before and varied now; varied before, and left to all new members by the plan.
        before = {name: self.settings.get(name) for name in varied if name not in self.varied}
        usual = {name: shared.get(name) for name in self.varied}
        kept = [Member(one.name, {**one.settings, **before}) for one in self.members]
        known, names = [member.settings for member in kept], {member.name for member in kept}
        added = []
        for member in plan.members:
            found = {**usual, **member.settings}
            settings = {name: found[name] for name in varied}
            if _find(settings, known):
                continue
            name = member_name(settings)
            name = distinct_name(name, settings) if name in names else name
            names.add(name)
            added.append(Member(name, settings))
        return replace(
            self,
            settings={n: value for n, value in self.settings.items() if n not in varied},
            varied=varied,
            members=(*kept, *added),
        )

    def with_ends(self, ends: Mapping[str, MemberEnd]) -> SweepRecord:
        """Return a copy with these ends."""
        return replace(self, ends=dict(ends))

    def write(self, folder: Path, *, sync: bool = True) -> None:
        """Write the record, whole or not at all.

        Raises:
            RunError: the folder cannot be written.
        """
        members = [
            {"name": one.name, "settings": dict(one.settings)}
            | ({"end": self.ends[one.name].as_json()} if one.name in self.ends else {})
            for one in self.members
        ]
        content = {
            "settings": dict(self.settings),
            "varied": list(self.varied),
            "writes_files": self.writes_files,
            "part": None if self.part is None else list(self.part),
            "members": members,
        }
        _STORED.write(folder, content, indent=None, sync=sync)


def new_record(plan: Plan, *, writes_files: bool, part: tuple[int, int] | None) -> SweepRecord:
    """Return the record of a sweep of which nothing is trained."""
    shared = {n: v for n, v in shared_settings(plan.shared).items() if n not in plan.varied}
    return SweepRecord(shared, plan.varied, plan.members, {}, writes_files, part)


def shared_settings(config: Config) -> dict[str, Any]:
    """Return the settings of a configuration that are a sweep's, as JSON holds them."""
    return {n: v for n, v in settings_mapping(config).items() if n not in OWN_SETTINGS}


def read_sweep_record(folder: Path) -> SweepRecord | None:
    """Read the record in a folder; None if there is none.

    Raises:
        RunError: the record is damaged, or has another version.
    """
    return _STORED.read(folder)


def _find(settings: Mapping[str, Any], known: list[Mapping[str, Any]]) -> bool:
    return any(settings == one for one in known)


def _check_same(
    before: Mapping[str, Any], now: Mapping[str, Any], varied: tuple[str, ...], folder: Path
) -> None:
    for name in sorted({*before, *now} - set(varied)):
        if before.get(name) != now.get(name):
            raise ConfigError(
                f"Cannot continue the sweep in {folder}: expected `{name}` {before.get(name)} as "
                f"it was begun with, got {now.get(name)}. Leave it out, vary it, or choose another "
                "folder."
            )


def _parse(content: dict[str, Any]) -> SweepRecord:
    members, ends = [], {}
    rules = {name: one for name, _, one in settings_of(Config)}
    varied = tuple(content["varied"])
    if not (set(varied) <= rules.keys()) or len(content["members"]) > MOST_MEMBERS:
        raise ValueError("settings that are none, or too many members")
    # A stranger's record says nothing of where files are written.
    if {*varied, *content["settings"]} & {*OWN_SETTINGS} or {*varied} & {*PLACES}:
        raise ValueError("settings of where files lie")
    for item in content["members"]:
        name, settings = item["name"], item["settings"]
        if not _is_name(name) or set(settings) != set(varied):
            raise ValueError(f"{shortened(name)} is no member")
        checked = {one: as_json(rules[one].check(one, settings[one])) for one in varied}
        members.append(Member(name, checked))
        if "end" in item:
            ends[name] = parse_end(item["end"])
            _check_file(ends[name], name)
    if len({member.name for member in members}) < len(members):
        raise ValueError("two members of one name")
    shared = dict(content["settings"])
    config_from_mapping(shared, place=NAME)
    part = content["part"]
    if part is not None and not is_part(part):
        raise ValueError(f"{shortened(part)} is no part")
    writes_files = content["writes_files"] is True
    return SweepRecord(
        shared, varied, tuple(members), ends, writes_files, None if part is None else tuple(part)
    )


def is_part(part: object) -> bool:
    """Whether something is two whole numbers i and n with 1 <= i <= n.

    >>> is_part([1, 8]), is_part([0, 8]), is_part("18")
    (True, False, False)
    """
    if not (isinstance(part, list | tuple) and len(part) == 2):
        return False
    is_whole = all(isinstance(n, int) and not isinstance(n, bool) for n in part)
    return is_whole and 1 <= part[0] <= part[1] <= MOST_MEMBERS


def _check_file(end: MemberEnd, name: str) -> None:
    if end.file not in (None, f"{name}.bitfold"):
        raise ValueError(f"{shortened(end.file)} is no file of {name}")


def _is_name(name: object) -> bool:
    """Whether something names a folder within a sweep's, and nothing that lies there anyhow."""
    if not isinstance(name, str) or name in _TAKEN or not name.isprintable():
        return False
    is_short = 0 < len(name.encode()) <= _MAX_NAME_BYTES
    return is_short and Path(name).name == name and not name.startswith(".")


_STORED = StoredRecord(
    NAME, "a sweep", _FORMAT, _VERSION, _parse, _MAX_BYTES,
    "Move it away: runs that are done stay as they are, and the same command takes them up.",
)  # fmt: skip
