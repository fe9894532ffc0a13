"""What a file shall be like."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from bitfold.errors import ModelFileError

#: Rounding errors are 36 decibels below the weights.
TOLERANCE = 1 / 64
MOST_TOLERANCE = 4.0

Loss = Callable[[nn.Module], float]
"""Judges a decoded module."""


@dataclass(frozen=True)
class Request:
    """The options of `write_model` and `compress`, which say what each means.

    Raises:
        ModelFileError: if one is out of bounds, or two do not go together.
    """

    tolerance: float | None = None
    num_bytes: int | None = None
    loss: Loss | None = None
    max_loss: float | None = None
    rest_bits: int | None = None
    sort_neurons: bool = False
    names: bool = False
    calibration: Iterable[Any] | None = None

    def __post_init__(self) -> None:
        found = self._limit_fault() or self._other_fault()
        if found is not None:
            raise ModelFileError(f"Cannot write a model file: expected {found}.")

    @property
    def bits_of_rest(self) -> int:
        """The bits of numbers that are not rounded."""
        return self.rest_bits or 32

    @property
    def without_loss(self) -> tuple[object, ...]:
        """All options that a `KolmogorovLoss` leaves no room for; None where they are not used."""
        limits = (self.tolerance, self.num_bytes, self.loss, self.max_loss)
        return (*limits, self.rest_bits, self.sort_neurons or None, self.calibration)

    def _limit_fault(self) -> str | None:
        limits = {
            "a tolerance": self.tolerance,
            "a number of bytes": self.num_bytes,
            "a loss": self.loss if self.loss is not None else self.max_loss,
        }
        given = [name for name, value in limits.items() if value is not None]
        if len(given) > 1:
            return f"either {given[0]} or {given[1]}, got both. Leave one out"
        if self.tolerance is not None and not 0 <= self.tolerance <= MOST_TOLERANCE:
            bounds = f"a tolerance of 0 to {MOST_TOLERANCE:g}"
            return f"{bounds}, got {self.tolerance}. Pass for example 0.01"
        if self.num_bytes is not None and self.num_bytes < 1:
            return f"at least 1 byte, got {self.num_bytes}. Pass for example 1000"
        if (self.loss is None) != (self.max_loss is None):
            missing = "max_loss" if self.max_loss is None else "loss"
            return f"loss and max_loss together, got no {missing}. Pass both or none"
        if self.max_loss is not None and not (0 < self.max_loss < math.inf):
            return f"max_loss above 0 and finite, got {self.max_loss}. Add a constant to the loss"
        return None

    def _other_fault(self) -> str | None:
        if self.loss is not None and not callable(self.loss):
            return (
                "a loss that can be called with a module, got a "
                f"{type(self.loss).__name__}. Pass a function of the decoded module"
            )
        if self.rest_bits not in (None, 16, 32):
            return f"rest_bits of 16 or 32, got {self.rest_bits}. Choose one of these"
        if self.calibration is not None and self.sort_neurons:
            return "sort_neurons=False beside calibration, got True. Leave out one of them"
        if self.calibration is not None and self.tolerance == 0:
            return (
                "a tolerance above 0 beside calibration, got 0. Leave out calibration, which exact "
                "weights do not need"
            )
        return None
