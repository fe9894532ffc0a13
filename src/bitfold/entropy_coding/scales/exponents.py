"""Exponents of rows or columns, written and read. Importing this module imports Numba.

Each exponent is coded by adaptive counts of how often each one was seen before.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.rans.coder import SOUND, State, Words, slot, take
from bitfold.entropy_coding.rans.symbols import Symbols, packed
from bitfold.entropy_coding.scales.whole_scales import MOST_LINE
from bitfold.runtime.compiling import compiled

Ints = NDArray[np.int64]

_MOST: Final = MOST_LINE
# An exponent's count grows by 64 when it is seen, or by 32 in units of half an octave or more.
_COUNT: Final = 64
# The count of exponent 0 at first.
_FIRST_COUNT: Final = 16
_MOST_COUNTED: Final = 1 << 15


@compiled
def put_exponents(out: Symbols, at: int, exponents: Ints, unit: int) -> int:
    """Append exponents.

    Args:
        out: room for them, or empty: then they are only counted.
        at: where to append.
        exponents: in eighths of an octave, multiples of 2^unit, at most 15 octaves: (n,).
        unit: 0 to 3.

    Returns:
        The new end.
    """
    counts = _first_counts(unit)
    for exponent in exponents:
        number = (exponent >> unit) + len(counts) // 2
        if len(out):
            total, before = counts.sum(), counts[:number].sum()
            start = (before << 16) // total
            end = ((before + counts[number]) << 16) // total
            out[at] = packed(start, end)
        at += 1
        _count(counts, number, unit)
    return at


@compiled
def get_exponents(state: State, words: Words, unit: int, exponents: Ints) -> None:
    """Read exponents that `put_exponents` wrote, until the array is full or a fault is met."""
    counts = _first_counts(unit)
    for i in range(len(exponents)):
        where, total = slot(state, words), counts.sum()
        number, start, before = 0, 0, counts[0]
        end = (before << 16) // total
        while where >= end:
            number += 1
            before += counts[number]
            start, end = end, (before << 16) // total
        take(state, words, start, end - start)
        if state[3] != SOUND:
            return
        exponents[i] = (number - len(counts) // 2) << unit
        _count(counts, number, unit)


@compiled
def _first_counts(unit: int) -> Ints:
    """The counts at first, from the least exponent up: 16 halved per octave, at least 1."""
    largest = _MOST >> unit
    counts = np.empty(2 * largest + 1, np.int64)
    for number in range(len(counts)):
        counts[number] = max(_FIRST_COUNT >> ((abs(number - largest) << unit) >> 3), 1)
    return counts


@compiled
def _count(counts: Ints, number: int, unit: int) -> None:
    """Count an exponent. Counts that add up to more than 2^15 are halved."""
    counts[number] += _COUNT >> (unit >> 1)
    if counts.sum() > _MOST_COUNTED:
        # One by one: for a slice Numba compiles a check of shapes and its message, for seconds.
        for each in range(len(counts)):
            counts[each] = max(counts[each] >> 1, 1)
