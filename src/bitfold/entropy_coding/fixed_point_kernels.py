"""Compiled loops from a weight's coordinates to the frequencies of its bins. Imports Numba.

Bounds, by which nothing overflows: values are below 2^29, numbers of steps at most 2^17, layers at
most 4,096 wide, so that sums are below 2^58 and times their factor below 2^62. Masses are at most
2^30 + 1, those of 65,536 bins together below 2^47, and times 2^16 below 2^63.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.fixed_point_syntax import FixedNetwork
from bitfold.runtime.compiling import compiled

Ints = NDArray[np.int64]

Room = tuple[NDArray[np.int32], Ints, Ints]
"""Hidden values, a layer's sums, and cumulative masses of the bins."""

_FRACTION: Final = 16
_LARGEST: Final = (1 << 29) - 1
# The slope of negative values, 0.01, is this over 2^19.
_SLOPE: Final = 5243
_SLOPE_SHIFT: Final = 19
# Exponentials are powers of 2: the binary logarithm of e is this over 2^16.
_OCTAVES: Final = 94_548
# From here on an exponential is 0.
_NOTHING: Final = 22 << _FRACTION
# 2^-x is 1 - x (C1 - x (C2 - x (C3 - x C4))) to within 4e-6 for x = 0 to 1, exactly 1 at 0 and,
# but for rounding, 1/2 at 1: the polynomial of the least relative error there; times 2^30.
_ONE: Final = 1 << 30
_C1: Final = 744_163_153
_C2: Final = 257_060_388
_C3: Final = 57_046_302
_C4: Final = 7_278_155
_MOST_GROUPS: Final = 1 << 10
_ALL: Final = 1 << 16


@compiled
def make_room(network: FixedNetwork) -> Room:
    """Room that `weigh_bins` writes in."""
    widths = network.widths
    widest, num_bins = widths.max(), widths[len(widths) - 1]
    hidden = np.empty(widths[:-1].max(), np.int32)
    return hidden, np.empty(widest, np.int64), np.zeros(num_bins + 1, np.int64)


@compiled
def group_bits(num_bins: int) -> int:
    """Bins are coded by groups of 2 to this power, at most 1,024 groups, and then within one."""
    bits = 0
    while (num_bins + (1 << bits) - 1) >> bits > _MOST_GROUPS:
        bits += 1
    return bits


@compiled
def weigh_bins(network: FixedNetwork, coordinates: Ints, room: Room) -> None:
    """Work out the masses of a weight's bins: their sums up to each bin, in the last of the room.

    Args:
        network: in fixed point.
        coordinates: (coordinates,).
        room: of `make_room`.
    """
    hidden, sums, cumulative = room
    widths, numbers, biases, factors, shifts = network
    for number in range(len(coordinates)):
        hidden[number] = coordinates[number]
    first, first_bias, last = 0, 0, len(widths) - 2
    for layer in range(last + 1):
        num_inputs, num_outputs = widths[layer], widths[layer + 1]
        end, end_bias = first + num_inputs * num_outputs, first_bias + num_outputs
        layer_sums = sums[:num_outputs]
        _add_inputs(numbers[first:end], hidden[:num_inputs], layer_sums)
        _scale(layer_sums, factors[layer], shifts[layer], biases[first_bias:end_bias])
        for j in range(num_outputs if layer < last else 0):
            value = sums[j]
            hidden[j] = value if value >= 0 else (value * _SLOPE) >> _SLOPE_SHIFT
        first, first_bias = end, end_bias
    _add_masses(sums[: widths[last + 1]], cumulative)


@compiled
def _add_inputs(numbers: NDArray[np.int32], hidden: NDArray[np.int32], sums: Ints) -> None:
    """Products of each input with its row of numbers, added up."""
    num_outputs = len(sums)
    sums[:] = 0
    for i in range(len(hidden)):
        value = np.int64(hidden[i])
        for j in range(num_outputs):
            sums[j] += value * np.int64(numbers[i * num_outputs + j])


@compiled
def _scale(sums: Ints, factor: int, shift: int, biases: Ints) -> None:
    """Sums in steps as numbers in fixed point, with their biases, kept within bounds."""
    for j in range(len(sums)):
        total = ((sums[j] * factor) >> shift) + biases[j]
        sums[j] = min(max(total, -_LARGEST), _LARGEST)


@compiled
def _add_masses(logits: Ints, cumulative: Ints) -> None:
    """Exponentials of logits, less the largest, times 2^30, plus 1, added up."""
    top = logits[0]
    for j in range(len(logits)):
        top = max(top, logits[j])
    # Apart from the sum, so that several are worked out at a time.
    for j in range(len(logits)):
        octaves = (min(top - logits[j], _NOTHING) * _OCTAVES) >> _FRACTION
        part = octaves & (_ALL - 1)
        power = _C3 - ((_C4 * part) >> _FRACTION)
        power = _C2 - ((power * part) >> _FRACTION)
        power = _C1 - ((power * part) >> _FRACTION)
        power = _ONE - ((power * part) >> _FRACTION)
        cumulative[j + 1] = (power >> (octaves >> _FRACTION)) + 1
    total = 0
    for j in range(len(logits)):
        total += cumulative[j + 1]
        cumulative[j + 1] = total


@compiled(inline="always")
def start_of(cumulative: Ints, symbol: int, span: tuple[int, int, int]) -> int:
    """Where a symbol starts among 2^16; of the one behind the last: 2^16.

    Each has a frequency of at least 1, and what is left is shared by the masses.

    Args:
        cumulative: masses up to each bin.
        symbol: of bins or groups.
        span: first bin, bin behind the last, and the logarithm of bins in a symbol.
    """
    first, end, shift = span
    count = (end - first + (1 << shift) - 1) >> shift
    below = cumulative[min(first + (symbol << shift), end)] - cumulative[first]
    return int(symbol + (below * (_ALL - count)) // (cumulative[end] - cumulative[first]))


@compiled
def span_of(group: int, shift: int, num_bins: int) -> tuple[int, int, int]:
    """The bins of a group, as `start_of` takes them."""
    return group << shift, min((group + 1) << shift, num_bins), 0


@compiled
def count_bits(
    network: FixedNetwork, coordinates: Ints, bins: Ints, bits: NDArray[np.float64]
) -> None:
    """Write what coding one given bin of each weight takes.

    Args:
        network: in fixed point.
        coordinates: (n, coordinates).
        bins: (n,).
        bits: (n,), written.
    """
    room = make_room(network)
    cumulative = room[2]
    num_bins = len(cumulative) - 1
    shift = group_bits(num_bins)
    for number in range(len(bins)):
        weigh_bins(network, coordinates[number], room)
        group, span = bins[number] >> shift, (0, num_bins, shift)
        start = start_of(cumulative, group, span)
        total = 16 - math.log2(start_of(cumulative, group + 1, span) - start)
        if shift > 0:
            span = span_of(group, shift, num_bins)
            within = bins[number] - span[0]
            start = start_of(cumulative, within, span)
            total += 16 - math.log2(start_of(cumulative, within + 1, span) - start)
        bits[number] = total
