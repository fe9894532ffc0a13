"""Locations and scales as they are sent: whole numbers, each coded as it comes.

A scale is a whole number of eighths of an octave: the tensor's, plus the row's, plus the column's.
Tensors, rows and columns in which every weight is the location have no number, only a flag; none
of their weights is coded at all. All chances are quotients of small whole numbers that encoder and
decoder count alike.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bitfold.entropy_coding.laplace_tables import (
    LARGEST_SCALE,
    LEAST_SCALE,
    MAX_DISTANCE,
    PER_OCTAVE,
)

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Symbols = NDArray[np.uint32]

#: What stands for the scale of a dead tensor, row or column: sums with it stay below `ALIVE`.
DEAD = -(2**20)
ALIVE = -(2**19)
#: A tensor's scale has 8 bits: from 2^-16 to 2^16 bins.
OWN_BITS, LEAST_OWN, MOST_OWN = 8, -128, 127
#: From this precision on, in bits, rows and columns have eighths of an octave.
FINEST_PRECISION = 8
#: Exponents of rows and columns are multiples of 2^0 to 2^3 eighths, and at most 15 octaves.
COARSEST_UNIT, MOST_LINE = 3, 15 * PER_OCTAVE
UNIT_BITS = 2
#: Chance in 2^16 that a unit is the one before.
SAME_UNIT = 15 << 12
#: Order of the exponential Golomb code of locations.
LOCATION_ORDER = 2


class Lines(NamedTuple):
    """Rows or columns of one tensor.

    Attributes:
        exponents: in eighths of an octave, or `DEAD`: int64 (lines,).
        unit: 2^unit eighths is what they are multiples of, 0 to 3.
    """

    exponents: Ints
    unit: int


class SentScale(NamedTuple):
    """What is sent of one tensor.

    Attributes:
        location: in bins from the one of 0.
        own: the tensor's scale, in eighths of an octave, or `DEAD`.
        lines: rows and columns; none if it has a single scale.
    """

    location: int
    own: int
    lines: tuple[Lines, ...] = ()


def scale_symbols(scales: Sequence[SentScale]) -> Symbols:
    """The symbols that tell a decoder the scales of tensors.

    A bit says whether any location is other than 0. Then each tensor has its location, if so, by a
    signed exponential Golomb code of order 2, a bit for whether it is dead, and if not 8 bits for
    its scale; then its rows and then its columns: a flag whether their unit is another than the
    last one, which at first is an octave, and if so 2 bits for it; a flag for each line, whether
    it is dead, see `put_flags`; and the exponents of the others, see `put_exponents`. Columns are
    told beside the rows of the last tensor that had any, if as many columns belong to each row:
    neurons that are dead there mostly are so here.

    Source: none, ours.

    Args:
        scales: in the order in which the tensors are coded.
    """
    # Numba takes 0.4 s to import: only those who count bits import it.
    from bitfold.entropy_coding import symbol_kernels as put  # noqa: PLC0415 - see above

    out = np.empty(_most_symbols(scales), np.uint32)
    has_locations = any(scale.location != 0 for scale in scales)
    at, last = put.put_bits(out, 0, has_locations, 1), COARSEST_UNIT
    neurons = np.zeros(1, np.int64)
    for scale in scales:
        if has_locations:
            at = put.put_signed(out, at, scale.location, LOCATION_ORDER)
        at = put.put_bits(out, at, scale.own == DEAD, 1)
        if scale.own == DEAD:
            continue
        at = put.put_bits(out, at, scale.own - LEAST_OWN, OWN_BITS)
        for axis, (exponents, unit) in enumerate(scale.lines):
            at = put.put_flag(out, at, unit != last, SAME_UNIT)
            if unit != last:
                at = put.put_bits(out, at, unit, UNIT_BITS)
            last, dead = unit, exponents == DEAD
            at = put.put_flags(out, at, dead.astype(np.int64), beside(neurons, len(dead), axis))
            at = put.put_exponents(out, at, exponents[~dead], unit)
        neurons = neurons_of(scale.lines, neurons)
    return out[:at]


def neurons_of(lines: Sequence[Lines], before: Ints) -> Ints:
    """Which of a tensor's rows are dead, or those before if it has none: 0 or 1."""
    return (lines[0].exponents == DEAD).astype(np.int64) if lines else before


def beside(neurons: Ints, count: int, axis: int) -> Ints:
    """What stands beside so many rows (axis 0) or columns: the flags of neurons, or all unset."""
    if axis == 0 or count % len(neurons):
        return np.zeros(count, np.int64)
    return np.repeat(neurons, count // len(neurons))


def _most_symbols(scales: Sequence[SentScale]) -> int:
    return 1 + sum(120 + sum(4 + 2 * len(side.exponents) for side in one.lines) for one in scales)


def unit_of(precision_bits: int) -> int:
    """Of 2^unit eighths rows' and columns' exponents are multiples; one more for each bit less."""
    return min(max(FINEST_PRECISION - precision_bits, 0), COARSEST_UNIT)


def whole_scales(log_scales: Tensor, unit: int, least: int, most: int) -> Tensor:
    """Natural logarithms of scales in eighths of an octave: int64, multiples of 2^unit."""
    step = 2**unit
    whole: Tensor = (log_scales.double() * (PER_OCTAVE / math.log(2) / step)).round() * step
    return whole.nan_to_num(0.0).clamp(least, most).long()


def logarithms(whole: Tensor) -> Tensor:
    """Natural logarithms of scales in eighths of an octave; those of the dead are smallest."""
    return whole.clamp(min=-MOST_LINE) * (math.log(2) / PER_OCTAVE)


def whole_bins(locations: Tensor) -> Tensor:
    """Locations or indices in bins, rounded: int64, at most 2^51 in size."""
    limit = MAX_DISTANCE // 2
    return locations.round().nan_to_num(0.0, limit, -limit).clamp(-limit, limit).long()


def best_scale(mean_distance: Tensor) -> Tensor:
    """The most likely scale of distances from the location of that mean: int64, any shape.

    Source: none, ours. For a Laplace distribution in bins the mean distance m is h / (1 - h^2) with
    h = exp(-1 / (2 scale)).
    """
    mean = mean_distance.double().clamp(min=1e-9)
    half = ((1 + 4 * mean * mean).sqrt() - 1) / (2 * mean)
    bins = -0.5 / half.log()
    whole = ((bins - 1 / 32).clamp(min=1e-9).log2() * PER_OCTAVE).round()
    return whole.clamp(LEAST_SCALE, LARGEST_SCALE).long()
