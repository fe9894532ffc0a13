"""Locations and scales as whole numbers, which is how a file holds them.

A scale is a whole number s of eighths of an octave, the sum of its tensor's, its row's and its
column's, and stands for 2^(s/8) + 1/32 bins. A tensor, row or column is *dead* if all of its
weights are at the location. It then has a flag instead of a number, and its weights are not coded.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]

#: Scales a factor of 2 apart differ by this number.
PER_OCTAVE = 8
#: The least and the largest scale: 1/32 + 1/256 of a bin and 2^16 bins.
LEAST_SCALE, LARGEST_SCALE = -64, 128
#: Stands for the scale of a dead tensor, row or column: every sum with it is below `ALIVE`.
DEAD = -(2**20)
ALIVE = -(2**19)
#: A tensor's own scale has 8 bits.
LEAST_OWN, MOST_OWN = -128, 127
#: An exponent of a row or column is at most 15 octaves in size.
MOST_LINE = 15 * PER_OCTAVE
#: Exponents of rows and columns are multiples of 2^unit eighths, with a unit of 0 to 3.
COARSEST_UNIT = 3
#: From this precision on, in bits, exponents of rows and columns are in eighths of an octave.
FINEST_PRECISION = 8
#: Locations and distances are at most this many bins: whole numbers of float64 end at 2^53.
MAX_DISTANCE = 2**52


class Lines(NamedTuple):
    """The rows, or the columns, of one tensor.

    Attributes:
        exponents: in eighths of an octave, or `DEAD`: int64 (lines,).
        unit: exponents are multiples of 2^unit eighths; 0 to 3.
    """

    exponents: Ints
    unit: int


class SentScale(NamedTuple):
    """The location and the scales of one tensor.

    Attributes:
        location: in bins from the bin of 0.
        own: the tensor's scale, in eighths of an octave, or `DEAD`.
        lines: rows and columns; empty if the tensor has a single scale.
    """

    location: int
    own: int
    lines: tuple[Lines, ...] = ()


class FlatScales(NamedTuple):
    """The locations and scales of tensors as compiled loops take them.

    Attributes:
        locations: of each tensor, in bins from the bin of 0: int64 (tensors,).
        own: of each tensor, in eighths of an octave, or `DEAD`: int64 (tensors,).
        exponents: of lines, likewise: int64 (n,).
        sides: where those of each tensor's rows and columns begin and end: int64 (tensors, 2, 2);
            -1 if it has none.
        units: of its rows and columns: int64 (tensors, 2).
    """

    locations: Ints
    own: Ints
    exponents: Ints
    sides: Ints
    units: Ints


class WholeScales(NamedTuple):
    """The locations and the scales of all tensors, in arrays.

    Attributes:
        locations: of each tensor, in bins from the bin of 0: int64 (tensors,).
        exponents: in eighths of an octave, or `DEAD`: those of the tensors, then of all rows, then
            of all columns, and a 0: int64.
        unit: exponents of lines are multiples of 2^unit eighths; 0 to 3.
    """

    locations: Ints
    exponents: Ints
    unit: int

    def of_tensors(self, sides: Ints) -> list[SentScale]:
        """Return the scales tensor by tensor.

        Args:
            sides: as of `FlatScales`.
        """
        locations, own = self.locations.tolist(), self.exponents[: len(sides)].tolist()
        return [
            SentScale(
                locations[number],
                own[number],
                ()
                if own[number] == DEAD
                else tuple(
                    Lines(self.exponents[first:last], self.unit)
                    for first, last in lines
                    if first >= 0
                ),
            )
            for number, lines in enumerate(sides.tolist())
        ]

    def flat(self, sides: Ints) -> FlatScales:
        """Return the same without a copy; arguments as of `of_tensors`."""
        units = np.full(sides.shape[:2], self.unit)
        own = self.exponents[: len(sides)]
        return FlatScales(self.locations, own, self.exponents, sides, units)


def flat_scales(scales: Sequence[SentScale]) -> FlatScales:
    """The scales of several tensors in arrays."""
    sides = np.full((len(scales), 2, 2), -1)
    units = np.zeros((len(scales), 2), np.int64)
    exponents, end = [np.zeros(0, np.int64)], 0
    for number, scale in enumerate(scales):
        for axis, (own, unit) in enumerate(scale.lines):
            sides[number, axis] = end, end + len(own)
            units[number, axis] = unit
            exponents.append(own)
            end += len(own)
    return FlatScales(
        np.array([scale.location for scale in scales], np.int64),
        np.array([scale.own for scale in scales], np.int64),
        np.concatenate(exponents),
        sides,
        units,
    )


def unit_of(precision_bits: int) -> int:
    """The unit of rows' and columns' exponents: 0 at 8 bits or more, and 1 more per bit less."""
    return min(max(FINEST_PRECISION - precision_bits, 0), COARSEST_UNIT)


def whole_scales(log_scales: Tensor, unit: int, least: int, most: int) -> Tensor:
    """Round natural logarithms of scales to multiples of 2^unit eighths of an octave: int64."""
    step = 2**unit
    whole: Tensor = (log_scales.double() * (PER_OCTAVE / math.log(2) / step)).round() * step
    return whole.nan_to_num(0.0).clamp(least, most).long()


def logarithms(whole: Tensor) -> Tensor:
    """Natural logarithms of scales in eighths of an octave; a dead one counts as -15 octaves."""
    return whole.clamp(min=-MOST_LINE) * (math.log(2) / PER_OCTAVE)


def whole_bins(locations: Tensor) -> Tensor:
    """Round locations or indices in bins: int64, at most 2^51 in size, NaN as 0."""
    limit = MAX_DISTANCE // 2
    return locations.round().nan_to_num(0.0, limit, -limit).clamp(-limit, limit).long()


def best_scale(mean_distance: Tensor) -> Tensor:
    """The most likely scale of numbers with this mean distance from their location: int64.

    For a Laplace distribution in bins the mean distance is h / (1 - h^2), with
    h = exp(-1 / (2 scale)).
    """
    mean = mean_distance.double().clamp(min=1e-9)
    half = ((1 + 4 * mean * mean).sqrt() - 1) / (2 * mean)
    bins = -0.5 / half.log()
    whole = ((bins - 1 / 32).clamp(min=1e-9).log2() * PER_OCTAVE).round()
    return whole.clamp(LEAST_SCALE, LARGEST_SCALE).long()
