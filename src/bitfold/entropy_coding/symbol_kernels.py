"""Symbols as the coder takes them: plain numbers, flags and exponents. Imports Numba.

A symbol is its start and its frequency among 2^16. K counts the symbols that the model file's coder
writes: what is told of scales is made here once, for both.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

Symbols = NDArray[np.uint32]
"""start + 2^16 (frequency - 1), one a symbol."""

Ints = NDArray[np.int64]

MASK: Final = 0xFFFF
ONE: Final = 1 << 16
#: Exponents of rows and columns lie within plus and minus this many octaves.
MOST_OCTAVES: Final = 15
#: A unit of 2^3 eighths is an octave.
COARSEST_UNIT: Final = 3
# An exponent counts 32, or 64 in units of a quarter octave or less, and 16 before the first one.
_COUNT: Final = 64
_FIRST_COUNT: Final = 16
_MOST_COUNTED: Final = 1 << 15


def bits_of(symbols: Symbols) -> float:
    """What symbols take."""
    return float((16 - np.log2((symbols >> np.uint32(16)) + 1.0)).sum())


@compiled
def put_bits(out: Symbols, at: int, number: int, num_bits: int) -> int:
    """Append a number of up to 16 bits; an empty ``out`` only counts. Returns the new end."""
    if len(out):
        width = 16 - num_bits
        out[at] = (number << width) | (((1 << width) - 1) << 16)
    return at + 1


@compiled
def put_long(out: Symbols, at: int, number: int, num_bits: int) -> int:
    """Append a number of up to 62 bits, 16 at a time, the highest ones first."""
    while num_bits > 16:
        at = put_bits(out, at, (number >> (num_bits - 16)) & MASK, 16)
        num_bits -= 16
    return put_bits(out, at, number & ((1 << num_bits) - 1), num_bits) if num_bits else at


@compiled
def put_golomb(out: Symbols, at: int, number: int, order: int) -> int:
    """Append a number of at least 0 by its exponential Golomb code."""
    high = (number >> order) + 1
    zeros = 0
    while high >> (zeros + 1):
        at = put_bits(out, at, 0, 1)
        zeros += 1
    at = put_bits(out, at, 1, 1)
    at = put_long(out, at, high & ((1 << zeros) - 1), zeros)
    return put_long(out, at, number & ((1 << order) - 1), order)


@compiled
def put_signed(out: Symbols, at: int, number: int, order: int) -> int:
    """Append a number by the exponential Golomb code of 0, -1, 1, -2, ... counted from 0."""
    return put_golomb(out, at, -2 * number - 1 if number < 0 else 2 * number, order)


@compiled
def put_flag(out: Symbols, at: int, is_set: bool, unset: int) -> int:
    """Append a flag that is unset in so many of 2^16 cases."""
    if len(out):
        out[at] = unset | ((ONE - unset - 1) << 16) if is_set else (unset - 1) << 16
    return at + 1


@compiled(inline="always")
def chance_unset(seen: Ints) -> int:
    """In 2^16, when so many flags were unset and set: (2 n + 1) / (2 m + 2), for n of m.

    Source: Krichevsky & Trofimov 1981.
    """
    quotient = ((2 * seen[0] + 1) << 16) // (2 * (seen[0] + seen[1]) + 2)
    return int(min(max(quotient, 1), ONE - 1))


@compiled
def put_flags(out: Symbols, at: int, flags: Ints, beside: Ints) -> int:
    """Append flags, each under how often flags like it were set.

    Flags are alike that have the same flag before them, and the same one beside them; before the
    first stands one that is unset.

    Args:
        out: room for them, or empty.
        at: where to append.
        flags: 0 or 1 (n,).
        beside: 0 or 1 (n,), known to the decoder.

    Returns:
        The new end.
    """
    seen = np.zeros((2, 2, 2), np.int64)
    before = 0
    for number in range(len(flags)):
        context, flag = seen[before, beside[number]], flags[number]
        at = put_flag(out, at, flag == 1, chance_unset(context))
        context[flag] += 1
        before = flag
    return at


@compiled
def new_counts(unit: int) -> Ints:
    """Of each exponent before the first one: 16 halved for each octave, at least 1.

    Args:
        unit: of 2^unit eighths of an octave are exponents multiples.
    """
    largest = (MOST_OCTAVES << 3) >> unit
    counts = np.empty(2 * largest + 1, np.int64)
    for number in range(len(counts)):
        counts[number] = max(_FIRST_COUNT >> ((abs(number - largest) << unit) >> 3), 1)
    return counts


@compiled
def count_again(counts: Ints, number: int, unit: int) -> None:
    """One more was seen; when all counts add up to more than 2^15, they are halved."""
    counts[number] += _COUNT >> (unit >> 1)
    if counts.sum() > _MOST_COUNTED:
        counts[:] = np.maximum(counts >> 1, 1)


@compiled
def put_exponents(out: Symbols, at: int, exponents: Ints, unit: int) -> int:
    """Append exponents, each under how often it was seen before.

    Args:
        out: room for them, or empty.
        at: where to append.
        exponents: in eighths of an octave, multiples of 2^unit, at most 15 octaves: (n,).
        unit: 0 to 3.

    Returns:
        The new end.
    """
    counts = new_counts(unit)
    for exponent in exponents:
        number = (exponent >> unit) + len(counts) // 2
        if len(out):
            total, before = counts.sum(), counts[:number].sum()
            start = (before << 16) // total
            end = ((before + counts[number]) << 16) // total
            out[at] = start | ((end - start - 1) << 16)
        at += 1
        count_again(counts, number, unit)
    return at
