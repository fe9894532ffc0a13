"""The coder that needs no parameters: adaptive bits in the context of neighbours. Imports Numba.

A tensor is a table of rows (its first dimension) and columns. Each row and each column says whether
all of it is 0; every other number says whether it is 0, its sign, how many binary digits its size
has, and these. How likely a bit is to be set is learned on the way, from those in the same context:
how large the two numbers before it and the one above it are.

Source: binary adaptive models as in CABAC (Marpe, Schwarz & Wiegand 2003); contexts are ours.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.rans_kernels import (
    DAMAGED,
    LOWEST,
    SOUND,
    State,
    Words,
    _fail,
    begin_segment,
    read_long,
)
from bitfold.entropy_coding.symbol_kernels import Symbols, put_long
from bitfold.runtime.compiling import compiled

Ints = NDArray[np.int64]

Shape = tuple[int, int, int]
"""Of the slower and the faster side, and numbers that share both."""

Used = tuple[Ints, Ints, int, int]
"""1 for each row and each column that is not all 0; the first row to code, and the end."""

#: Contexts of sizes, digits and signs.
_SIZES, _MOST_DIGITS, _SIGNS = 16, 52, 9
_ZERO: Final = 0
_SIGN: Final = _ZERO + _SIZES
_EXPONENT: Final = _SIGN + _SIGNS
_DIGIT: Final = _EXPONENT + _SIZES * _MOST_DIGITS
_ROW: Final = _DIGIT + 3 * _MOST_DIGITS
_COLUMN: Final = _ROW + 2
NUM_CONTEXTS: Final = _COLUMN + 2

_HALF: Final = 1 << 15
_LEAST: Final = 1 << 5
# A model learns as fast as the mean of what it saw, until it has seen this many; a slower one, too.
_FAST, _SLOW, _SEEN = 5, 8, 255
# Logarithm of what was seen and 1.5 more, rounded.
_PACES: Final = np.rint(np.log2(np.arange(_SEEN + 1) + 1.5)).astype(np.int64)
_LARGEST: Final = 1 << 50
# Fewer rows or columns have no flags.
_FLAGGED: Final = 4


def new_contexts() -> Ints:
    """Chance of 0 by a fast and by a slow mean, in 2^16, and what was seen: int64 (contexts, 3)."""
    contexts = np.full((NUM_CONTEXTS, 3), _HALF, np.int64)
    contexts[:, 2] = 0
    return contexts


@compiled(inline="always")
def _chance(contexts: Ints, context: int) -> int:
    """Of 0, in 2^16; never less than 2^5."""
    mean = (contexts[context, 0] + contexts[context, 1]) >> 1
    return int(min(max(mean, _LEAST), (1 << 16) - _LEAST))


@compiled(inline="always")
def _learn(contexts: Ints, context: int, bit: int) -> None:
    seen = contexts[context, 2]
    for place, slowest in ((0, _FAST), (1, _SLOW)):
        mean = contexts[context, place]
        target = 0 if bit else 1 << 16
        contexts[context, place] = mean + ((target - mean) >> min(_PACES[seen], slowest))
    contexts[context, 2] = min(seen + 1, _SEEN)


@compiled(inline="always")
def _put(out: Symbols, at: int, contexts: Ints, context: int, bit: int) -> int:
    chance = _chance(contexts, context)
    out[at] = chance | (((1 << 16) - chance - 1) << 16) if bit else (chance - 1) << 16
    _learn(contexts, context, bit)
    return at + 1


@compiled(inline="always")
def _get(state: State, words: Words, contexts: Ints, context: int) -> int:
    """As `slot` and `take`, in one piece: a call that hands an array on costs more than a bit."""
    if state[2] == 0:
        begin_segment(state, words)
    fast, slow = contexts[context, 0], contexts[context, 1]
    seen = contexts[context, 2]
    chance = min(max((fast + slow) >> 1, _LEAST), (1 << 16) - _LEAST)
    number = state[0]
    where = number & 0xFFFF
    bit = 1 if where >= chance else 0
    start = chance * bit
    frequency = chance + bit * ((1 << 16) - 2 * chance)
    number = frequency * (number >> 16) + where - start
    at = state[1]
    if number < LOWEST and at < len(words):
        number = (number << 16) | np.int64(words[at])
        state[1] = at + 1
    state[0] = number
    state[2] -= 1
    pace, target = _PACES[seen], (1 - bit) << 16
    contexts[context, 0] = fast + ((target - fast) >> min(pace, _FAST))
    contexts[context, 1] = slow + ((target - slow) >> min(pace, _SLOW))
    contexts[context, 2] = min(seen + 1, _SEEN)
    return bit


@compiled(inline="always")
def _num_digits(number: int) -> int:
    digits = 0
    while number >> digits:
        digits += 1
    return digits


@compiled(inline="always")
def _surroundings(numbers: Ints, at: int, in_row: int) -> tuple[int, int]:
    """Contexts of size and of sign."""
    left = numbers[at - 1] if at > 0 else 0
    before = numbers[at - 2] if at > 1 else 0
    above = numbers[at - in_row] if at >= in_row else 0
    size = 2 * min(abs(left), _LARGEST) + min(abs(before), _LARGEST) + 2 * min(abs(above), _LARGEST)
    signs = (0 if left == 0 else 1 if left > 0 else 2) * 3
    signs += 0 if above == 0 else 1 if above > 0 else 2
    return min(_num_digits(size), _SIZES - 1), signs


@compiled(inline="always")
def _digit_context(exponent: int, place: int, high: int) -> int:
    """Of the digit behind the first, and of the next, by the one before it."""
    return _DIGIT + 3 * exponent + (0 if place == 0 else 1 + high)


@compiled(inline="always")
def _put_number(
    out: Symbols, at: int, contexts: Ints, number: int, surroundings: tuple[int, int]
) -> int:
    size, signs = surroundings
    at = _put(out, at, contexts, _ZERO + size, 1 if number else 0)
    if number == 0:
        return at
    at = _put(out, at, contexts, _SIGN + signs, 1 if number < 0 else 0)
    exponent = _num_digits(abs(number)) - 1
    for digits in range(exponent + 1):
        context = _EXPONENT + size * _MOST_DIGITS + digits
        at = _put(out, at, contexts, context, 1 if exponent > digits else 0)
    high = 0
    for place in range(min(2, exponent)):
        digit = (abs(number) >> (exponent - 1 - place)) & 1
        at = _put(out, at, contexts, _digit_context(exponent, place, high), digit)
        high = digit
    rest = max(exponent - 2, 0)
    return int(put_long(out, at, abs(number) & ((1 << rest) - 1), rest))


@compiled(inline="always")
def _get_number(state: State, words: Words, contexts: Ints, surroundings: tuple[int, int]) -> int:
    size, signs = surroundings
    if _get(state, words, contexts, _ZERO + size) == 0:
        return 0
    is_negative = _get(state, words, contexts, _SIGN + signs)
    exponent = 0
    while _get(state, words, contexts, _EXPONENT + size * _MOST_DIGITS + exponent):
        exponent += 1
        if exponent >= _MOST_DIGITS - 1:
            _fail(state, DAMAGED)
            return 0
    number, high = 1, 0
    for place in range(min(2, exponent)):
        high = _get(state, words, contexts, _digit_context(exponent, place, high))
        number = 2 * number + high
    rest = max(exponent - 2, 0)
    if rest:
        number = (number << rest) | int(read_long(state, words, rest))
    return -number if is_negative else number


@compiled
def put_table(out: Symbols, numbers: Ints, used: Used, contexts: Ints) -> int:
    """Code some rows of a tensor; returns the count of symbols.

    Args:
        out: room for at most 60 of them a number.
        numbers: int64 (n,), all of the tensor.
        used: which rows, and what is not all 0.
        contexts: see `new_contexts`; they learn.
    """
    rows, columns, first, end = used
    in_row = len(columns)
    at = 0
    for row in range(first, end):
        for column in range(in_row):
            if rows[row] and columns[column]:
                number = row * in_row + column
                surroundings = _surroundings(numbers, number, in_row)
                at = _put_number(out, at, contexts, int(numbers[number]), surroundings)
    return at


@compiled
def get_table(state: State, words: Words, numbers: Ints, used: Used, contexts: Ints) -> None:
    """Decode numbers, all 0 before; see `put_table`."""
    rows, columns, first, end = used
    in_row = len(columns)
    for row in range(first, end):
        for column in range(in_row):
            if rows[row] and columns[column]:
                number = row * in_row + column
                surroundings = _surroundings(numbers, number, in_row)
                numbers[number] = _get_number(state, words, contexts, surroundings)
        if state[3] != SOUND:
            return


@compiled
def put_flags(out: Symbols, flags: Ints, contexts: Ints, is_row: bool) -> int:
    """Code which rows or columns are used, each in the context of the one before."""
    last, at = 0, 0
    for flag in flags:
        at = _put(out, at, contexts, (_ROW if is_row else _COLUMN) + last, flag)
        last = flag
    return at


@compiled
def get_flags(state: State, words: Words, flags: Ints, contexts: Ints, is_row: bool) -> None:
    """Decode flags; see `put_flags`."""
    last = 0
    for number in range(len(flags)):
        last = _get(state, words, contexts, (_ROW if is_row else _COLUMN) + last)
        flags[number] = last


def used_sides(numbers: Ints, shape: Shape) -> tuple[Ints, Ints]:
    """Which rows and which of the faster side have numbers other than 0: int64, 1 or 0."""
    outer, inner, together = shape
    used = (numbers != 0).reshape(outer, inner, together).any(axis=2)
    return used.any(axis=1).astype(np.int64), used.any(axis=0).astype(np.int64)


def has_flags(count: int, other: int) -> bool:
    """Whether so many rows or columns, of so many numbers each, say whether they are used."""
    return count > 1 and other >= _FLAGGED
