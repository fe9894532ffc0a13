"""The members of a sweep: all combinations of values, or combinations that are listed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bitfold.errors import ConfigError
from bitfold.experiments.sweeps.plans.member import Member, as_json, distinct_name, member_name
from bitfold.runtime.strangers.bounded_json import shortened
from bitfold.training import PLACES, Config, Setting, hint, settings_of

#: Members of a sweep: its record and its page stay usable.
MOST_MEMBERS: Final = 20_000
#: Settings that belong to the sweep as a whole.
OWN_SETTINGS: Final = ("output_dir", "log_file")
#: What `bitfold.sweep` takes: names to values, of which all combinations are trained, or a list of
#: combinations.
Grid = Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Plan:
    """What a sweep is asked to train.

    Args:
        shared: the settings of all members, where they do not have their own.
        varied: the names of the settings that members have for themselves.
        members: in order; each has all names of ``varied``.
    """

    shared: Config
    varied: tuple[str, ...]
    members: tuple[Member, ...]


def planned(config: Config, combinations: Sequence[Mapping[str, Any]], grid: Grid) -> Plan:
    """Combine listed combinations with a grid, and check every member.

    Args:
        config: the settings that are not varied. A member has one thread unless it says otherwise,
            so that its results are the same on every machine and beside any number of others.
        combinations: settings that belong together; an empty list stands for one without any.
        grid: names to values of which all combinations are formed, or further combinations.

    Raises:
        ConfigError: a name is no setting, a value is wrong, settings contradict each other, there
            are no members, or more than `MOST_MEMBERS`.

    >>> plan = planned(Config(), [], {"seed": range(2), "shape": ["[4]", "[8]*2"]})
    >>> [member.name for member in plan.members]
    ['seed-0-shape-4', 'seed-0-shape-8x2', 'seed-1-shape-4', 'seed-1-shape-8x2']
    """
    listed = list(combinations)
    if not isinstance(grid, Mapping):
        listed, grid = [*listed, *grid], {}
    values = {_known(name): _sequence(name, given) for name, given in grid.items()}
    rows = [{_known(name): value for name, value in row.items()} for row in listed] or [{}]
    twice = sorted(set(values).intersection(*[{name for row in rows for name in row}]))
    if twice:
        raise ConfigError(
            f"Cannot vary `{twice[0]}`: expected it in the grid or in the listed combinations, got "
            "it in both. Leave one of them out."
        )
    _check_number(len(rows) * math.prod(map(len, values.values())), values, bool(listed))
    shared = config.replace(threads=config.threads or 1, output_dir=None)
    return _checked(shared, rows, values)


def _checked(
    shared: Config, rows: Sequence[Mapping[str, Any]], values: Mapping[str, Sequence[Any]]
) -> Plan:
    varied = tuple(dict.fromkeys([*(name for row in rows for name in row), *values]))
    rules = {name: one for name, _, one in settings_of(Config)}
    usual = {name: as_json(getattr(shared, name)) for name in varied}
    checked = {name: [_value(rules, name, one) for one in some] for name, some in values.items()}
    members: dict[str, Member] = {}
    for row in rows:
        own = {name: _value(rules, name, value) for name, value in row.items()}
        for found in itertools.product(*checked.values()):
            settings = {**usual, **own, **dict(zip(checked, found, strict=True))}
            _add(members, settings)
    for member in members.values():
        _check(member, shared)
    return Plan(shared, varied, tuple(members.values()))


def _add(members: dict[str, Member], settings: dict[str, Any]) -> None:
    """Add a member, unless one has the same settings."""
    name = member_name(settings)
    if name in members and members[name].settings != settings:
        name = distinct_name(name, settings)
    members.setdefault(name, Member(name, settings))


def _check(member: Member, shared: Config) -> None:
    try:
        member.config(shared)
    except ConfigError as error:
        raise ConfigError(f"Cannot plan the member {member.name}. {error}") from None


def _value(rules: Mapping[str, Setting], name: str, value: Any) -> Any:
    if name == "threads" and value == 0:
        raise ConfigError(
            "Cannot vary `threads`: expected numbers of at least 1, got 0, which would let the "
            "machine choose. Leave 0 out."
        )
    return as_json(rules[name].check(name, value))


def _known(written: str) -> str:
    """Return the name of a setting that may be varied."""
    known = [name for name, _, _ in settings_of(Config)]
    name = str(written).replace("-", "_")
    if name not in known:
        shown = name[:100]
        raise ConfigError(
            f"Cannot vary {shown!r}: there is no setting of that name.{hint(shown, known)}"
        )
    if name in (*OWN_SETTINGS, *PLACES, "tensorboard"):
        raise ConfigError(
            f"Cannot vary `{name}`: expected a setting of the training, got one of where its files "
            "lie. Each member has a folder of its own in the sweep's."
        )
    return name


def _sequence(name: str, values: Iterable[Any]) -> Sequence[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigError(
            f"Cannot vary `{name}`: expected a list of values, got {shortened(values)}. Write "
            f"[{shortened(values)}] for a single one."
        )
    if isinstance(values, Sequence):
        return values
    return list(itertools.islice(values, MOST_MEMBERS + 1))


def _check_number(number: int, values: Mapping[str, Sequence[Any]], has_rows: bool) -> None:
    empty = [name for name, some in values.items() if len(some) == 0]
    if empty:
        raise ConfigError(
            f"Cannot train a sweep without members: expected values for `{empty[0]}`, got none. "
            "Give at least one; the end of a range is not part of it."
        )
    if not values and not has_rows:
        raise ConfigError(
            "Cannot train a sweep without members: expected settings to vary, got none. Give for "
            "example seed=0:10."
        )
    if number > MOST_MEMBERS:
        raise ConfigError(
            f"Cannot train a sweep of {number:,} members: expected at most {MOST_MEMBERS:,}. Vary "
            "fewer settings or values, or make several sweeps."
        )
