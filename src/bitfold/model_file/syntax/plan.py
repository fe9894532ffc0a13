"""How each tensor of a module is coded: the form between the module and the stream."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.fixed_point.network import WholeNetwork
from bitfold.entropy_coding.laplace.tensors import Model, model_of
from bitfold.entropy_coding.scales.whole_scales import SentScale
from bitfold.model_file.syntax.structure import Item

# Methods by their number in a file. New ones come at the end.
ABSENT, FLOATS, HALVES, WHOLES, SCALES, ROWS, CONTEXT, COORDINATE, COUNTS = range(9)
LISTED, COUNTED_WHOLES, MIXED, TRELLIS = 9, 10, 11, 12
METHODS = (
    "absent",
    "float32",
    "bfloat16",
    "whole numbers",
    "one scale",
    "rows and columns",
    "context",
    "coordinate",
    "counts",
    "listed values",
    "counted whole numbers",
    "mixed predictions",
    "trellis",
)
#: Methods that code numbers on a grid.
GRID = (SCALES, ROWS, CONTEXT, COORDINATE, COUNTS, MIXED, TRELLIS)

#: Methods of a grid whose tensors may have numbers off it, from version 2 on.
WITH_EXCEPTIONS = (SCALES, ROWS, CONTEXT, COORDINATE, COUNTS)

#: Methods with scales: integer tables code their numbers.
SCALED = (SCALES, ROWS)

Ints = NDArray[np.int64]

# Of fewer numbers, a look at their sizes costs more than the memory that it saves.
_MANY: Final = 2**12
_ALONE = SentScale(0, 0)


def compact(numbers: Ints) -> NDArray[Any]:
    """The numbers as int32 if they fit, which halves their memory; a few stay as they are."""
    if len(numbers) < _MANY:
        return numbers
    limits = np.iinfo(np.int32)
    fit = limits.min <= numbers.min(initial=0) and numbers.max(initial=0) <= limits.max
    return numbers.astype(np.int32) if fit else numbers


#: The numbers of a tensor that has none, or none on a grid.
NO_NUMBERS: Final[Ints] = np.zeros(0, np.int64)


class Exceptions(NamedTuple):
    """Numbers of a tensor that do not lie on its grid.

    Attributes:
        places: int64 (m,), increasing indices of the tensor's numbers.
        values: float32 (m,).
    """

    places: Ints
    values: NDArray[np.float32]


NO_EXCEPTIONS = Exceptions(NO_NUMBERS, np.zeros(0, np.float32))


@dataclass
class TensorPlan:
    """How one tensor is coded.

    Attributes:
        item: the tensor.
        method: one of `METHODS`, by number.
        numbers: for methods of a grid: bins from 0, whole numbers (n,), in the order of memory; see
            `compact`.
        raw: for other methods: an array of the type that is written.
        step: between two values of the grid; a float32, unless the file is of version 2.
        offset: of the value that the number 0 stands for; other than 0 in version 2 only.
        scale: for methods with scales.
        exceptions: numbers off the grid; some in version 2 only.
        load: makes ``numbers`` or ``raw`` when the tensor's turn comes to be written, so that those
            of one tensor at a time are held; None: they are there.
    """

    item: Item
    method: int
    numbers: NDArray[Any] = field(default_factory=lambda: NO_NUMBERS)
    raw: NDArray[Any] | None = None
    step: float = 0.0
    offset: float = 0.0
    scale: SentScale = _ALONE
    exceptions: Exceptions = NO_EXCEPTIONS
    load: Callable[[], TensorPlan] | None = None

    def loaded(self) -> TensorPlan:
        """The plan with its numbers; itself if it has them."""
        return self if self.load is None else self.load()

    @property
    def needs_version_2(self) -> bool:
        """Whether a file of version 1 cannot hold this."""
        is_wide = self.offset != 0 or float(np.float32(self.step)) != self.step
        return self.method >= COUNTS or is_wide or len(self.exceptions.places) > 0


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
        """Distance between two values; as `Bins.width`."""
        return (self.maximum - self.minimum) / (self.num_bins - 1)

    @property
    def origin(self) -> int:
        """Index of the bin nearest to 0; as `Bins.origin`."""
        return round(-self.minimum / self.width)


@dataclass
class Plan:
    """How a module is coded.

    Attributes:
        tensors: in the order of `tensors_of`.
        distribution: of the integer tables.
        grid: that all tensors share; None: each tensor has a step.
        coordinate: the network that codes the tensors of method `COORDINATE`.
    """

    tensors: list[TensorPlan]
    distribution: str = "laplace"
    grid: FixedGrid | None = None
    coordinate: WholeNetwork | None = None

    @property
    def version(self) -> int:
        """Of a file that can hold this plan: the first one, 1 to 4."""
        if self.coded_by((TRELLIS,)):
            return 4
        if self.coded_by((MIXED,)):
            return 3
        return 1 + any(tensor.needs_version_2 for tensor in self.tensors)

    def coded_by(self, methods: Collection[int]) -> list[TensorPlan]:
        """The tensors that are coded by one of these methods."""
        return [tensor for tensor in self.tensors if tensor.method in methods]

    def first_bin(self, num_bins: int) -> int:
        """The number for which the first of ``num_bins`` bins stands."""
        return -(num_bins // 2) if self.grid is None else -self.grid.origin

    def model(self, tensor: TensorPlan) -> Model:
        """The distribution of the numbers of a tensor with scales, as `write_numbers` takes it."""
        box = tensor.item.box
        return model_of(tensor.scale, box.in_memory, box.is_transposed, self.distribution)

    def values(self, tensor: TensorPlan) -> NDArray[np.float64]:
        """The values of a tensor's numbers: float64 (n,); products and sums are rounded once."""
        # In place: another array of this size would be the largest that reading holds.
        found = tensor.numbers.astype(np.float64)
        if self.grid is None:
            found *= tensor.step
            found += tensor.offset
        else:
            found += self.grid.origin
            found *= self.grid.width
            found += self.grid.minimum
        if len(tensor.exceptions.places):
            found[tensor.exceptions.places] = tensor.exceptions.values
        return found
