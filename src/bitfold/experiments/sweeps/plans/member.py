"""A member of a sweep: the settings in which it differs, and its readable name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bitfold.training import Config

# Names in folders that are shorter, or that people use.
_SHORT: Final = {"kolmogorov_weight": "lambda"}
_MOST_CHARACTERS = 100
_NUM_HASHED = 8
_LARGE = 1e15
_REPEATED = re.compile(r"\[(\d+)\]\*(\d+)")
_UNREADABLE = re.compile(r"[^A-Za-z0-9._+-]+")


@dataclass(frozen=True)
class Member:
    """One run of a sweep.

    Args:
        name: of its folder within the sweep's.
        settings: name to value of each setting that is varied, as JSON holds them.
    """

    name: str
    settings: Mapping[str, Any]

    def config(self, shared: Config) -> Config:
        """Return the settings of its run.

        Args:
            shared: the settings that all members share.

        Raises:
            ConfigError: its settings contradict each other.
        """
        return shared.replace(**self.settings)


def as_json(value: Any) -> Any:
    """Return the value of a setting as JSON holds it."""
    return list(value) if isinstance(value, tuple) else value


def member_name(settings: Mapping[str, Any]) -> str:
    """Return a readable name for a folder, by the settings alone.

    >>> member_name({"kolmogorov_weight": 0.003, "seed": 1, "shape": "[10]*8"})
    'lambda-0.003-seed-1-shape-10x8'
    >>> member_name({"target": "../a picture.png"})
    'target-.._a_picture.png'
    """
    parts = [f"{_SHORT.get(name, name)}-{_readable(value)}" for name, value in settings.items()]
    name = "-".join(parts) or "member"
    return name if len(name) <= _MOST_CHARACTERS else _hashed(name[:_MOST_CHARACTERS], settings)


def distinct_name(name: str, settings: Mapping[str, Any]) -> str:
    """Return a name for settings whose `member_name` another member has already."""
    return _hashed(name, settings)


def _hashed(name: str, settings: Mapping[str, Any]) -> str:
    content = json.dumps(dict(settings), sort_keys=True).encode()
    return f"{name}-{hashlib.sha256(content).hexdigest()[:_NUM_HASHED]}"


def _readable(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "default", True: "on", False: "off"}[value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGE:
        value = int(value)
    text = _REPEATED.sub(r"\1x\2", str(value)).replace("[", "").replace("]", "")
    # A colon of `bits:2000` and the like; all else that shells and file systems trip over.
    return _UNREADABLE.sub("_", text.replace(":", "-")).strip("_") or "none"
