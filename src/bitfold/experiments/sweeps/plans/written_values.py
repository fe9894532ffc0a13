"""Values to vary as people write them: lists with commas, ranges as Python's, plan files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bitfold.errors import ConfigError
from bitfold.experiments.sweeps.plans.grid import MOST_MEMBERS
from bitfold.runtime.strangers.bounded_json import shortened
from bitfold.training import Config, hint, settings_of
from bitfold.training.config.config_file import parse_toml

_RANGE: Final = re.compile(r"(-?\d{1,18}):(-?\d{1,18})(?::(-?\d{1,18}))?", re.ASCII)
_MAX_PLAN_BYTES: Final = 2**24
_SWITCHES: Final = {"true": True, "false": False, "on": True, "off": False}


@dataclass(frozen=True)
class WrittenPlan:
    """What a plan file holds.

    Args:
        combinations: settings that belong together.
        grid: names to values of which all combinations are formed.
    """

    combinations: tuple[Mapping[str, Any], ...] = ()
    grid: Mapping[str, Sequence[Any]] | None = None


def parse_variation(text: str) -> tuple[str, Sequence[Any]]:
    """Return name and values of ``name=values``.

    Raises:
        ConfigError: it has another form, the name is no setting, or a value is none of it.

    >>> parse_variation("seed=0:3"), parse_variation("shape=[10]*8,[64,32]")
    (('seed', range(0, 3)), ('shape', ['[10]*8', '[64,32]']))
    """
    name, sign, values = text.partition("=")
    name = name.strip().replace("-", "_")
    if not sign or not name:
        raise ConfigError(
            f"Cannot vary {text[:100]!r}: expected a setting with values. Write for example "
            "seed=0:10 or shape='[10]*8','[64]*4'."
        )
    found = _RANGE.fullmatch(values.strip())
    if found and _kind(name) == "int":
        first, last, step = (int(number or 1) for number in found.groups())
        if step == 0:
            raise ConfigError(f"Cannot vary `{name}`: expected a step other than 0, got {values}.")
        return name, range(first, last, step)
    words = [word.strip() for word in _between_commas(values)] if values.strip() else []
    return name, [parse_value(name, word) for word in words]


def _between_commas(text: str) -> list[str]:
    """Split at commas in no brackets, as those of a shape are; in time of the text's length."""
    parts, end, next_bracket = [], len(text), ""
    for at in range(len(text) - 1, -1, -1):
        if text[at] in "[]":
            next_bracket = text[at]
        elif text[at] == "," and next_bracket != "]":
            parts.append(text[at + 1 : end])
            end = at
    return [text[:end], *reversed(parts)]


def parse_value(name: str, text: str) -> Any:
    """Return the value of a setting that a text stands for.

    ``none`` leaves a setting open where it may be, switches are ``true`` and ``false``, and names
    of watchdogs are joined by ``+``.

    Raises:
        ConfigError: the name is no setting, or the text is no value of it.

    >>> parse_value("grad_clip_norm", "none"), parse_value("amsgrad", "true")
    (None, True)
    """
    one = _rule(name)
    if text == "none" and one.optional and "none" not in one.choices:
        return None
    if one.kind == "bool":
        return one.check(name, _SWITCHES.get(text.lower(), text))
    if one.kind == "names":
        return one.check(name, [] if text == "none" else text.split("+"))
    return one.parse(name, text)


def read_plan(path: str | Path) -> WrittenPlan:
    """Read a plan: TOML with ``[vary]`` and ``[[members]]``, or CSV with a row for each member.

    Raises:
        ConfigError: the file cannot be read, has another ending, or is not of that form.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending not in (".toml", ".csv"):
        raise ConfigError(f"Cannot read the plan {path}: expected a .toml or .csv file.")
    try:
        if file.exists() and not file.is_file():
            raise ValueError("it is no file")  # a FIFO keeps a reader waiting without end
        with file.open("rb") as opened:
            data = opened.read(_MAX_PLAN_BYTES + 1)
        if len(data) > _MAX_PLAN_BYTES:
            raise ValueError(f"more than {_MAX_PLAN_BYTES // 2**20} MB")
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"Cannot read the plan {path}: {reason}.") from None
    return _from_csv(text, path) if ending == ".csv" else _from_toml(text, path)


def _from_toml(text: str, path: str | Path) -> WrittenPlan:
    content = parse_toml(text.encode(), str(path))
    unknown = [name for name in content if name not in ("vary", "members")]
    rows, grid = content.get("members", []), content.get("vary", {})
    is_whole = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    if unknown or not is_whole or not isinstance(grid, dict):
        got = f"{unknown[0][:100]!r}" if unknown else "another form of them"
        raise ConfigError(
            f"Cannot read the plan {path}: expected a table [vary] and tables [[members]], got "
            f"{got}. Write for example [vary] and below it seed = [0, 1, 2]."
        )
    values = {
        name: parse_variation(f"{name}={some}")[1] if isinstance(some, str) else some
        for name, some in grid.items()
    }
    return WrittenPlan(tuple(rows), values)


def _from_csv(text: str, path: str | Path) -> WrittenPlan:
    rows: list[Mapping[str, Any]] = []
    try:
        reader = csv.DictReader(io.StringIO(text), strict=True)
        if len(reader.fieldnames or ()) > len(list(settings_of(Config))):
            raise ValueError("it has more columns than there are settings")
        for row in reader:
            if len(rows) >= MOST_MEMBERS:
                raise ValueError(f"it has more than {MOST_MEMBERS:,} rows")
            if None in row or None in row.values():
                raise ValueError("a row has another number of columns than the first")
            cells = {str(name).strip().replace("-", "_"): str(cell) for name, cell in row.items()}
            rows.append({name: parse_value(name, cell) for name, cell in cells.items() if cell})
    except (csv.Error, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"Cannot read the plan {path}: {str(error)[:200]}.") from None
    if not rows:
        raise ConfigError(
            f"Cannot read the plan {path}: expected names of settings and a row for each member, "
            "got no rows."
        )
    return WrittenPlan(tuple(rows))


def _kind(name: str) -> str:
    return str(_rule(name).kind)


def _rule(name: str) -> Any:
    rules = {known: one for known, _, one in settings_of(Config)}
    if name not in rules:
        raise ConfigError(
            f"Cannot vary {shortened(name)}: there is no setting of that name."
            f"{hint(name[:100], rules)}"
        )
    return rules[name]
