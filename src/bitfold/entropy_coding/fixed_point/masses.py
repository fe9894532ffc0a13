"""From a weight's coordinates to the frequencies of its bins. Importing this imports Numba.

Nothing overflows int64. Values are below 2^29, numbers of steps at most 2^17, their factors below
2^4 and layers at most 4,096 wide, so that sums are below 2^62. Masses are at most 2^30 + 1, those
of 65,536 bins together below 2^47, and below 2^63 when multiplied by 2^16.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.fixed_point.network import FixedNetwork
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]

Room = tuple[NDArray[np.int32], Ints, Ints]
"""Hidden values, a layer's sums, and masses of the bins."""

_FRACTION: Final = 16
# Sums are kept this much higher, so that they are positive: without AVX-512, a processor shifts
# several positive numbers at a time, and negative ones one by one.
_RAISED: Final = 1 << 62
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
_32_BITS: Final = (1 << 32) - 1


@compiled
def make_room(network: FixedNetwork) -> Room:
    """The arrays into which `weigh_bins` writes."""
    widths = network.widths
    widest, num_bins = widths.max(), widths[len(widths) - 1]
    hidden = np.empty(widths[:-1].max(), np.int32)
    return hidden, np.empty(widest, np.int64), np.zeros(num_bins + 1, np.int64)


@compiled
def group_bits(num_bins: int) -> int:
    """The logarithm of the bins in a group: the least one with at most 1,024 groups."""
    bits = 0
    while (num_bins + (1 << bits) - 1) >> bits > _MOST_GROUPS:
        bits += 1
    return bits


@inlined
def weigh_bins(network: FixedNetwork, coordinates: Ints, room: Room) -> None:
    """Work out the masses of a weight's bins.

    Args:
        network: in fixed point.
        coordinates: (coordinates,).
        room: of `make_room`; its last array gets the masses of each bin, behind a 0.
    """
    hidden, sums, masses = room
    widths, numbers, biases, shifts = network
    for number in range(len(coordinates)):
        hidden[number] = coordinates[number]
    first, first_bias, last = 0, 0, len(widths) - 2
    for layer in range(last + 1):
        num_inputs, num_outputs = widths[layer], widths[layer + 1]
        end, end_bias = first + num_inputs * num_outputs, first_bias + num_outputs
        layer_sums = sums[:num_outputs]
        _add_inputs(numbers[first:end], hidden[:num_inputs], layer_sums)
        _scale(layer_sums, shifts[layer], biases[first_bias:end_bias])
        for j in range(num_outputs if layer < last else 0):
            value = sums[j]
            hidden[j] = value if value >= 0 else (value * _SLOPE) >> _SLOPE_SHIFT
        first, first_bias = end, end_bias
    _to_masses(sums[: widths[last + 1]], masses)


@inlined
def _add_inputs(numbers: NDArray[np.int32], hidden: NDArray[np.int32], sums: Ints) -> None:
    """Add up the products of each input with its row of numbers, four rows in a pass; `_RAISED`."""
    n, rest = len(sums), len(hidden) & 3
    sums[:] = _RAISED
    for i in range(rest):
        value, row = np.int64(hidden[i]), numbers[i * n : (i + 1) * n]
        for j in range(n):
            sums[j] += value * np.int64(row[j])
    for i in range(rest, len(hidden), 4):
        row_a, row_b = numbers[i * n : (i + 1) * n], numbers[(i + 1) * n : (i + 2) * n]
        row_c, row_d = numbers[(i + 2) * n : (i + 3) * n], numbers[(i + 3) * n : (i + 4) * n]
        a, b = np.int64(hidden[i]), np.int64(hidden[i + 1])
        c, d = np.int64(hidden[i + 2]), np.int64(hidden[i + 3])
        for j in range(n):
            sums[j] += (
                a * np.int64(row_a[j])
                + b * np.int64(row_b[j])
                + c * np.int64(row_c[j])
                + d * np.int64(row_d[j])
            )


@inlined
def _scale(sums: Ints, shift: int, biases: Ints) -> None:
    """Turn raised sums into fixed point, add biases, and keep the results within bounds."""
    raised = _RAISED >> shift
    for j in range(len(sums)):
        total = np.int64(np.uint64(sums[j]) >> np.uint64(shift)) - raised + biases[j]
        sums[j] = min(max(total, -_LARGEST), _LARGEST)


@inlined
def _to_masses(logits: Ints, masses: Ints) -> None:
    """Each bin's exp(logit - largest) * 2^30, plus 1, behind a 0."""
    top = logits[0]
    for j in range(len(logits)):
        top = max(top, logits[j])
    masses[0] = 0
    for j in range(len(logits)):
        # Masks change nothing. They show that factors have 32 bits, whose products are fast.
        distance = min(top - logits[j], _NOTHING) & _32_BITS
        octaves = (distance * _OCTAVES) >> _FRACTION
        part = octaves & (_ALL - 1)
        power = (_C3 - ((_C4 * part) >> _FRACTION)) & _32_BITS
        power = (_C2 - ((power * part) >> _FRACTION)) & _32_BITS
        power = (_C1 - ((power * part) >> _FRACTION)) & _32_BITS
        power = _ONE - ((power * part) >> _FRACTION)
        masses[j + 1] = (power >> (octaves >> _FRACTION)) + 1


@inlined
def add_up(masses: Ints) -> None:
    """Turn the masses of `weigh_bins` into sums of all masses up to each bin."""
    total = 0
    for j in range(len(masses)):
        total += masses[j]
        masses[j] = total


@inlined
def frequency_of(masses: Ints, symbol: int, span: tuple[int, int, int]) -> int:
    """A symbol's share of 2^16: the distance of `start_of` to that of the next symbol.

    Args:
        masses: of `weigh_bins`, not yet added up.
        symbol: as of `start_of`.
        span: as of `start_of`.
    """
    first, end, shift = span
    start = min(first + (symbol << shift), end)
    stop = min(first + ((symbol + 1) << shift), end)
    count = (end - first + (1 << shift) - 1) >> shift
    below = _summed(masses[1 + first : 1 + start])
    upto = below + _summed(masses[1 + start : 1 + stop])
    shared, total = _ALL - count, upto + _summed(masses[1 + stop : 1 + end])
    return int(1 + (upto * shared) // total - (below * shared) // total)


@inlined
def _summed(masses: Ints) -> int:
    total = 0
    for j in range(len(masses)):
        total += masses[j]
    return total


@compiled(inline="always")
def start_of(cumulative: Ints, symbol: int, span: tuple[int, int, int]) -> int:
    """Where a symbol starts among 2^16; 2^16 for the symbol behind the last.

    Each symbol has a frequency of at least 1. The masses share the rest.

    Args:
        cumulative: masses up to each bin.
        symbol: number of a bin or group, counted within the span.
        span: first bin, bin behind the last, and the logarithm of the bins in a symbol.
    """
    first, end, shift = span
    count = (end - first + (1 << shift) - 1) >> shift
    below = cumulative[min(first + (symbol << shift), end)] - cumulative[first]
    return int(symbol + (below * (_ALL - count)) // (cumulative[end] - cumulative[first]))


@compiled
def span_of(group: int, shift: int, num_bins: int) -> tuple[int, int, int]:
    """The span of the bins in a group, see `start_of`."""
    return group << shift, min((group + 1) << shift, num_bins), 0
