"""A size or a quality that a coded network has to reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bitfold.errors import ConfigError
from bitfold.runtime.strangers.bounded_json import is_number, shortened

# An error of 10^(-100) or 10^100 is still a normal float64; far beyond that it is not.
_MAX_DB = 1000


@dataclass(frozen=True)
class Goal:
    """A limit on the size or on the error of a coded network. At most one field is set.

    Args:
        num_bytes: the largest size of the file.
        psnr_db: the smallest peak signal-to-noise ratio, for regression.
        error: the largest mean squared error, or for classes the largest share of wrong pixels.

    Raises:
        ConfigError: more than one field is set, or a value is out of bounds.

    Example:
        >>> Goal(psnr_db=20).max_error("regression")
        0.01
    """

    num_bytes: int | None = None
    psnr_db: float | None = None
    error: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) > 1:
            raise ConfigError(
                f"Cannot use several goals at once: expected one, got {' and '.join(given)}. Leave "
                "all but one out."
            )
        if self.num_bytes is not None and self.num_bytes < 1:
            raise ConfigError(
                f"Cannot use this size: expected at least 1 byte, got {self.num_bytes}. Ask for "
                "more."
            )
        if self.psnr_db is not None and not abs(self.psnr_db) < _MAX_DB:
            raise ConfigError(
                f"Cannot use this PSNR: expected a finite number between -{_MAX_DB} and {_MAX_DB} "
                f"dB, got {self.psnr_db}. Change it."
            )
        if self.error is not None and not _is_error(self.error):
            raise ConfigError(
                "Cannot use this error: expected a finite number of at least 0, got "
                f"{shortened(self.error)}. Change it."
            )

    def max_error(self, task: str) -> float | None:
        """Return the largest error that reaches the goal; None if the error does not matter.

        Args:
            task: ``regression`` or ``classification``.

        Raises:
            ConfigError: a PSNR is asked for, and the task is classification.
        """
        if self.psnr_db is None:
            return None if self.error is None else float(self.error)
        if task != "regression":
            raise ConfigError(
                f"Cannot use a PSNR as the goal: expected a task of regression, got {task}. Give "
                "`error`, the share of wrong pixels, instead."
            )
        return float(10 ** (-self.psnr_db / 10))


def stored_goal(content: Mapping[str, Any]) -> Goal:
    """Return the goal that a record holds, which may be a stranger's.

    Raises:
        ValueError: a value is no number that JSON can hold.
    """
    for value in dict(content).values():
        if not (value is None or is_number(value)):
            raise ValueError(f"{shortened(value)} is no number for a goal")
    return Goal(**content)


def _is_error(value: float) -> bool:
    """Whether a value is a finite number of at least 0: Python's, NumPy's, or a tensor of one."""
    try:
        return math.isfinite(value) and bool(value >= 0)
    except (OverflowError, TypeError):  # a whole number beyond all floats, or no number
        return False
