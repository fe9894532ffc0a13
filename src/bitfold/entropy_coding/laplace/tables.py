"""Integer tables of Laplace and logistic distributions, by which weights are coded.

For each scale there is a table of frequencies, which add up to 2^16, of the distance of a weight's
bin from its location. Whole numbers alone make them, so that every machine has the same tables. K's
hard bits and the model file share them.
"""

import math
from functools import cache
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.scales.whole_scales import LEAST_SCALE, PER_OCTAVE

#: Frequencies add up to 2 to this power.
FREQUENCY_BITS = 16
#: Up to this scale, 32 bins, a scale has a table. Beyond it low bits of distances are plain.
LAST_TABLE = 40
DISTRIBUTIONS = ("laplace", "logistic")

# Bits behind the point: 80 more than a frequency needs.
_POINT = 96
_ONE = 1 << _POINT
# An argument is halved this many times before its series, and the result squared as many times.
_HALVINGS = 8


class IntegerTables(NamedTuple):
    """The tables of one distribution, one behind the other, from the least scale on.

    A table's symbols are, in order: below -reach, each of -reach to reach, above reach.

    Attributes:
        firsts: int64 (scales,), where each table starts.
        reaches: int64 (scales,).
        starts: int64, cumulative frequency before each symbol, and 2^16 behind the last.
    """

    firsts: NDArray[np.int64]
    reaches: NDArray[np.int64]
    starts: NDArray[np.int64]


@cache
def integer_tables(distribution: str) -> IntegerTables:
    """The tables of a distribution.

    A symbol's frequency is its probability times 2^16, rounded, at least 1; distance 0 has the
    rest. The reach is the largest distance that is expected at least once in 2^16.

    Args:
        distribution: one of `DISTRIBUTIONS`.

    Example:
        >>> tables = integer_tables("laplace")
        >>> tables.reaches[[0, -1]].tolist(), len(tables.starts)
        ([0, 221], 6488)
    """
    firsts, reaches, starts = [], [], [np.zeros(0, np.int64)]
    at = 0
    for scale in range(LEAST_SCALE, LAST_TABLE + 1):
        frequencies = _frequencies(distribution, scale)
        firsts.append(at)
        reaches.append(len(frequencies) // 2 - 1)
        starts.append(np.cumsum([0, *frequencies], dtype=np.int64))
        at += len(frequencies) + 1
    return IntegerTables(np.array(firsts), np.array(reaches), np.concatenate(starts))


@cache
def table_bits(distribution: str) -> NDArray[np.float64]:
    """The bits of each symbol, in the order of `IntegerTables.starts`."""
    starts = integer_tables(distribution).starts
    frequencies = np.diff(starts, append=1)
    # The difference behind a table's last symbol belongs to no symbol.
    return FREQUENCY_BITS - np.log2(np.maximum(frequencies, 1))


def scale_in_bins(scale: int) -> int:
    """2^(scale/8) + 1/32, in units of 2^-96."""
    octave, eighth = divmod(scale, PER_OCTAVE)
    # The square root of the square root of the square root, each rounded down.
    root = math.isqrt(math.isqrt(math.isqrt(1 << (eighth + PER_OCTAVE * _POINT))))
    return (root << octave if octave >= 0 else root >> -octave) + (_ONE >> 5)


def _frequencies(distribution: str, scale: int) -> list[int]:
    """The frequencies of a table's symbols, in order."""
    tails = _tails(distribution, scale)
    inner, tail = list[int](), tails[0]
    for following in tails[1:]:
        inner.append(max(1, _frequency(tail - following)))
        tail = following
    side = [max(1, _frequency(tail)), *reversed(inner)]
    middle = (1 << FREQUENCY_BITS) - 2 * sum(side)
    return [*side, middle, *reversed(side)]


def _tails(distribution: str, scale: int) -> list[int]:
    """Fixed-point probabilities of distances of at least 1, of at least 2, up to the reach + 1."""
    # The exponential of minus half a bin over the scale.
    half = exponential((_ONE << _POINT) // (2 * scale_in_bins(scale)))
    tails = list[int]()
    power = half
    for _ in count():
        tail = power // 2 if distribution == "laplace" else (power << _POINT) // (_ONE + power)
        tails.append(tail)
        if len(tails) > 1 and tails[-2] - tail < _ONE >> FREQUENCY_BITS:
            return tails[:-1]
        power = (((power * half) >> _POINT) * half) >> _POINT
    raise AssertionError


def exponential(exponent: int) -> int:
    """The exponential of minus a fixed-point number with 96 bits behind the point."""
    reduced = exponent >> _HALVINGS
    total, term = 0, _ONE
    for number in count(1):
        total += term
        term = -((term * reduced) >> _POINT) // number
        if abs(term) <= 1:
            break
    for _ in range(_HALVINGS):
        total = (total * total) >> _POINT
    return total


def _frequency(probability: int) -> int:
    return ((probability << FREQUENCY_BITS) + (_ONE >> 1)) >> _POINT
