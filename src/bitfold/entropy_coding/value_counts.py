"""Whole numbers by adaptive counts of each value, written and read. Importing this imports Numba.

Each value that a tensor can take has a count. It starts at 1 and grows whenever the value comes up,
so that the code learns any distribution whose numbers are independent of each other.

Two symbols for each number, a group of values and the value in it, bound the search among values.

Source: J. G. Cleary & I. H. Witten 1984, A comparison of enumerative and adaptive codes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.rans.coder import SOUND, State, Words, slot, take
from bitfold.entropy_coding.rans.symbols import TOTAL, Symbols, packed
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled

Ints = NDArray[np.int64]

#: A tensor's numbers take at most this many values.
MOST_VALUES: Final = 1 << 16
#: What a count grows by: by less for few and uneven numbers, by more for few distinct values.
GROWTHS: Final = (1, 2, 8, 32)
# Numbers that are coded at a time.
_PART: Final = 1 << 16
_LEAST_ORDER, _VALUES_ORDER, _STRIDE_ORDER, _GROWTH_BITS = 4, 6, 0, 2
_MOST_LEAST, _MOST_STRIDE = 1 << 50, 1 << 40


Counts = tuple[Ints, Ints]
"""The count of each value, and the sum of each group's."""

Span = tuple[int, int, int]
"""Where some counts begin and end, and their sum."""


class Values(NamedTuple):
    """The values that a tensor takes: ``least + k * stride`` for k below ``num_values``.

    Attributes:
        least: the lowest.
        num_values: 1 to `MOST_VALUES`.
        stride: distance between two of them, at least 1.
        growth: of a count, one of `GROWTHS`.
    """

    least: int
    num_values: int
    stride: int
    growth: int

    @property
    def group_bits(self) -> int:
        """Values are coded in groups of 2 to this power: a group first, then the value in it."""
        return ((self.num_values - 1).bit_length() + 1) // 2


def values_of(numbers: Ints) -> tuple[Values, float] | None:
    """The values that numbers take, with the growth that suits them best.

    Args:
        numbers: int64 (n,), n > 0.

    Returns:
        The values, and the bits of the numbers without those of `Values`; None if there are more
        than `MOST_VALUES`, or numbers beyond 2^50 in size.
    """
    least, most = int(numbers.min()), int(numbers.max())
    if max(-least, most) > _MOST_LEAST:
        return None
    distinct, counts = np.unique(numbers, return_counts=True)
    stride = max(1, int(np.gcd.reduce(distinct - least)))
    count = (most - least) // stride + 1
    if count > MOST_VALUES or stride > _MOST_STRIDE:
        return None
    bits, growth = min((_bits(counts, count, growth), growth) for growth in GROWTHS)
    return Values(least, count, stride, growth), bits


def _bits(counts: Ints, num_values: int, growth: int) -> float:
    """The code length of adaptive counts, which does not depend on the order of the numbers."""
    start = 1 / growth
    total = gammaln(num_values * start + counts.sum()) - gammaln(num_values * start)
    return float(total - (gammaln(counts + start) - gammaln(start)).sum()) / float(np.log(2))


def write_counted(writer: StreamWriter, numbers: Ints, values: Values) -> None:
    """Append a tensor's values and its numbers, int64 (n,)."""
    writer.write_signed(values.least, _LEAST_ORDER)
    writer.write_golomb(values.num_values - 1, _VALUES_ORDER)
    writer.write_golomb(values.stride - 1, _STRIDE_ORDER)
    writer.write_bits(GROWTHS.index(values.growth), _GROWTH_BITS)
    counts, shape = _first_counts(values), (values.group_bits, values.growth)
    for first in range(0, len(numbers), _PART):
        indices = (numbers[first : first + _PART] - values.least) // values.stride
        out = np.empty(2 * len(indices), np.uint32)
        _put(out, indices, counts, shape)
        writer.write_symbols(out)


def read_counted(reader: StreamReader, count: int) -> Ints:
    """Read ``count`` numbers that `write_counted` wrote."""
    least = reader.read_signed(_LEAST_ORDER)
    num_values = reader.read_golomb(_VALUES_ORDER) + 1
    stride = reader.read_golomb(_STRIDE_ORDER) + 1
    growth = GROWTHS[reader.read_bits(_GROWTH_BITS)]
    if num_values > MOST_VALUES or abs(least) > _MOST_LEAST or stride > _MOST_STRIDE:
        raise damaged(
            f"expected at most {MOST_VALUES:,} values within 2^50, got {num_values:,} from {least} "
            f"in steps of {stride}",
            reader.position,
        )
    values = Values(least, num_values, stride, growth)
    indices, shape = np.zeros(count, np.int64), (values.group_bits, growth)
    _get(reader.state, reader.words, indices, _first_counts(values), shape)
    reader.check()
    return least + indices * stride


def _first_counts(values: Values) -> Counts:
    """All are 1."""
    counts = np.ones(values.num_values, np.int64)
    return counts, np.add.reduceat(counts, np.arange(0, values.num_values, 1 << values.group_bits))


@compiled
def _put(out: Symbols, indices: Ints, tables: Counts, shape: tuple[int, int]) -> None:
    counts, totals = borrowed(tables)
    out, indices = borrowed(out), borrowed(indices)
    group_bits, growth = shape
    everything = 0
    for group in range(len(totals)):
        everything += totals[group]
    for number in range(len(indices)):
        index = indices[number]
        group = index >> group_bits
        first = group << group_bits
        last = min(first + (1 << group_bits), len(counts))
        out[2 * number] = _interval(totals, (0, len(totals), everything), group)
        out[2 * number + 1] = _interval(counts, (first, last, totals[group]), index)
        counts[index] += growth
        totals[group] += growth
        everything += growth


@compiled
def _get(state: State, words: Words, indices: Ints, tables: Counts, shape: tuple[int, int]) -> None:
    counts, totals = borrowed(tables)
    state, words, indices = borrowed(state), borrowed(words), borrowed(indices)
    group_bits, growth = shape
    everything = 0
    for group in range(len(totals)):
        everything += totals[group]
    for number in range(len(indices)):
        group = _choice(state, words, totals, (0, len(totals), everything))
        first = group << group_bits
        last = min(first + (1 << group_bits), len(counts))
        index = _choice(state, words, counts, (first, last, totals[group]))
        indices[number] = index
        counts[index] += growth
        totals[group] += growth
        everything += growth
        if state[3] != SOUND:
            return


@compiled(inline="always")
def _interval(counts: Ints, span: Span, chosen: int) -> int:
    """The symbol of one of the counts of a span."""
    first, last, total = span
    before = 0
    for place in range(first, chosen):
        before += counts[place]
    room, at = TOTAL - (last - first), chosen - first
    start = at + before * room // total
    return packed(start, at + 1 + (before + counts[chosen]) * room // total)


@compiled(inline="always")
def _choice(state: State, words: Words, counts: Ints, span: Span) -> int:
    """Read a symbol that `_interval` made, and return the place of its count."""
    first, last, total = span
    where, room = slot(state, words), TOTAL - (last - first)
    start, before = 0, 0
    for place in range(first, last):
        before += counts[place]
        end = place - first + 1 + before * room // total
        if where < end:
            take(state, words, start, end - start)
            return place
        start = end
    return last - 1
