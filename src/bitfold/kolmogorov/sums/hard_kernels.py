"""Compiled loops over the bins that weights decode as. Importing this module imports Numba."""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.laplace.tables import IntegerTables
from bitfold.entropy_coding.laplace.tensors import bits_of, split_scale
from bitfold.entropy_coding.scales.whole_scales import ALIVE, LARGEST_SCALE, LEAST_SCALE
from bitfold.kolmogorov.grid.rounding_kernels import number_of
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled

Weights = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

Grid = tuple[tuple[float, float], float, int, int]
"""The lowest and highest bin's value; the distance of bins; the index of the last bin and that of
the origin."""

Stretch = tuple[Weights, Doubles, Grid, Ints, int, int]
"""The weights of some consecutive tensors, one behind the other; the steps of all tensors, as sent;
the grid; the boxes of all tensors (tensors, 8), see `scale_table`; the first of the consecutive
tensors, and the end."""


@compiled(error_model="numpy")
def mark_used(stretch: Stretch, locations: Ints, used: Flags) -> None:
    """Mark the tensors, rows and columns in which a weight decodes as another bin's number.

    Args:
        stretch: see `Stretch`.
        locations: of all tensors, the number of the bin that is not marked.
        used: of all factors as `scale_table` counts them, set where a weight differs.
    """
    weights, steps, (limits, width, last, origin), boxes, first, stop = borrowed(stretch)
    locations, used = borrowed(locations), borrowed(used)
    for number in range(first, stop):
        box, at = boxes[number], boxes[number, 0] - boxes[first, 0]
        rounding = (1 / steps[number], limits, width, last, origin)
        for pair in range(box[1] // box[3]):
            is_used = False
            for _ in range(box[3]):
                value = np.float64(weights[at]) * rounding[0]
                is_used = is_used or number_of(value, rounding) != locations[number]
                at += 1
            line, place = divmod(pair, box[2])
            used[number] |= is_used
            used[box[4] + line * box[5]] |= is_used
            used[box[6] + place * box[7]] |= is_used


@compiled(error_model="numpy")
def sum_hard_bits(
    stretch: Stretch,
    scales: tuple[Ints, Ints],
    tables: tuple[IntegerTables, Doubles],
    bits: Doubles,
) -> None:
    """Count the bits of tensors by the integer tables.

    Args:
        stretch: see `Stretch`.
        scales: the location of each tensor; the exponents of all factors.
        tables: of the distribution, and the bits of each symbol; see `table_bits`.
        bits: (tensors, 2), written: of symbols and of escapes; NaN if a weight is not finite.
    """
    weights, steps, (limits, width, last, origin), boxes, first, stop = borrowed(stretch)
    locations, exponents = borrowed(scales)
    tables, bits = borrowed(tables), borrowed(bits)
    for number in range(first, stop):
        box, at = boxes[number], boxes[number, 0] - boxes[first, 0]
        rounding = (1 / steps[number], limits, width, last, origin)
        symbols = escapes = 0.0
        for pair in range(box[1] // box[3]):
            line, place = divmod(pair, box[2])
            total = exponents[number] + exponents[box[4] + line * box[5]]
            total += exponents[box[6] + place * box[7]]
            shift, table = split_scale(min(max(total, LEAST_SCALE), LARGEST_SCALE))
            for _ in range(box[3]):
                value = np.float64(weights[at]) * rounding[0]
                at += 1
                if not math.isfinite(value):
                    symbols = escapes = math.nan
                elif total >= ALIVE:
                    distance = number_of(value, rounding) - locations[number]
                    some, beyond = bits_of(distance, shift, table, tables[0], tables[1])
                    symbols += some
                    escapes += beyond
        bits[number, 0], bits[number, 1] = symbols, escapes
