"""What pages know of settings: the same rows as the options of the command line."""

from __future__ import annotations

import math
from typing import Any

from bitfold.training import Config, settings_of


def settings_table() -> list[dict[str, Any]]:
    """Return a row for each setting: its name, default, unit, bounds, words and help."""
    rows = []
    for name, default, setting in settings_of(Config):
        rows.append(
            {
                "name": name,
                "default": default,
                "kind": setting.kind,
                "unit": setting.unit,
                "choices": list(setting.choices),
                "minimum": _finite(setting.minimum),
                "maximum": _finite(setting.maximum),
                "resume": setting.resume,
                "help": setting.help,
            }
        )
    return rows


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
