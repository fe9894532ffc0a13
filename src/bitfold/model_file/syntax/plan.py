"""What a model file says of each tensor, between the module and the stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.scale_syntax import SentScale
from bitfold.model_file.syntax.structure import Item

# Methods by their number in a file: only ever added to, at the end.
ABSENT, FLOATS, HALVES, WHOLES, SCALES, ROWS, CONTEXT, COORDINATE = range(8)
METHODS = (
    "absent",
    "float32",
    "bfloat16",
    "whole numbers",
    "one scale",
    "rows and columns",
    "context",
    "coordinate",
)
#: Methods that code numbers of a grid.
GRID = (SCALES, ROWS, CONTEXT, COORDINATE)

#: Those that have scales: their numbers are coded by the integer tables.
SCALED = (SCALES, ROWS)

Ints = NDArray[np.int64]

_ALONE = SentScale(0, 0)


def compact(numbers: Ints) -> NDArray[Any]:
    """The same numbers in half the memory, where they fit."""
    limits = np.iinfo(np.int32)
    fit = limits.min <= numbers.min(initial=0) and numbers.max(initial=0) <= limits.max
    return numbers.astype(np.int32) if fit else numbers


def _none() -> Ints:
    return np.zeros(0, np.int64)


@dataclass
class TensorPlan:
    """How one tensor is coded.

    Attributes:
        item: which tensor.
        method: one of `METHODS`, by number.
        numbers: of grid methods: whole numbers (n,), bins from 0, in the order of memory; see
            `compact`.
        raw: of others: an array of the type that is written.
        step: between two values of the grid, float32.
        scale: what is sent of its distribution.
    """

    item: Item
    method: int
    numbers: NDArray[Any] = field(default_factory=_none)
    raw: NDArray[Any] | None = None
    step: float = 0.0
    scale: SentScale = _ALONE


@dataclass
class FixedGrid:
    """The same values for all tensors: those of `Bins`.

    Attributes:
        minimum: float32.
        maximum: float32.
        num_bins: 2 to 65,536.
    """

    minimum: float
    maximum: float
    num_bins: int

    @property
    def width(self) -> float:
        """As `Bins.width`."""
        return (self.maximum - self.minimum) / (self.num_bins - 1)

    @property
    def origin(self) -> int:
        """As `Bins.origin`."""
        return round(-self.minimum / self.width)


class CoordinateNetwork(NamedTuple):
    """The coordinate predictor, as whole numbers.

    Attributes:
        tensors: int64, weights (outputs, inputs) and biases (outputs,) in turn, in steps.
        steps: the code of each tensor's step, see `sent_network`.
        precision_bits: 1 to 16, of each number, counted from its tensor's lowest.
    """

    tensors: tuple[Ints, ...]
    steps: tuple[int, ...]
    precision_bits: int

    @property
    def num_bins(self) -> int:
        """That it tells the probabilities of."""
        return len(self.tensors[-1])

    @property
    def hidden_widths(self) -> list[int]:
        """Of its hidden layers."""
        return [len(biases) for biases in self.tensors[1:-2:2]]


@dataclass
class Plan:
    """How a module is coded.

    Attributes:
        tensors: in the order of `tensors_of`.
        distribution: of the integer tables.
        grid: None: each tensor has a step.
        coordinate: the predictor of tensors that are coded by it.
    """

    tensors: list[TensorPlan]
    distribution: str = "laplace"
    grid: FixedGrid | None = None
    coordinate: CoordinateNetwork | None = None

    def first_bin(self, num_bins: int) -> int:
        """The number that the first of so many bins stands for."""
        return -(num_bins // 2) if self.grid is None else -self.grid.origin

    def values(self, tensor: TensorPlan) -> NDArray[np.float64]:
        """The numbers that a grid's bins stand for: float64 (n,); each product is rounded once."""
        if self.grid is None:
            return tensor.numbers.astype(np.float64) * tensor.step
        indices = tensor.numbers.astype(np.float64) + self.grid.origin
        return indices * self.grid.width + self.grid.minimum
