"""Numbers of a table by adaptive bits, written and read. Importing this module imports Numba.

A table has rows and columns. Each of these has a bit, whether it is used: whether it has any number
but 0. A number in a used row and column has a bit for whether it is 0, its sign, its count of
binary digits, and these digits. The context of a bit is how large the two numbers before it and the
number above it are.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.adaptive_bits import get_bit, put_bit
from bitfold.entropy_coding.numbers.plain_bits import get_long, put_long
from bitfold.entropy_coding.rans.coder import DAMAGED, SOUND, State, Words, fail
from bitfold.entropy_coding.rans.symbols import Symbols
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]

Used = tuple[Ints, Ints, int, int]
"""1 for each used row and each used column, else 0; the first row to code, and the end."""

#: Contexts of a number: how large its neighbours are; a trellis has as many for each quantiser.
SIZES: Final = 16
MOST_SIZES: Final = 2 * SIZES
# Contexts of digits and signs.
MOST_DIGITS, _SIGNS = 52, 9
ZERO: Final = 0
_SIGN: Final = ZERO + MOST_SIZES
EXPONENT: Final = _SIGN + _SIGNS
DIGIT: Final = EXPONENT + MOST_SIZES * MOST_DIGITS
_ROW: Final = DIGIT + 3 * MOST_DIGITS
_COLUMN: Final = _ROW + 2
NUM_CONTEXTS: Final = _COLUMN + 2

#: At most this many symbols say what a number is.
SYMBOLS_EACH: Final = 60
_LARGEST: Final = 1 << 50


@compiled
def put_table(out: Symbols, numbers: Ints, used: Used, contexts: Ints) -> int:
    """Code some rows of a table.

    Args:
        out: room for `SYMBOLS_EACH` symbols for each number of these rows.
        numbers: int64 (n,), all of the table, below 2^51 in size.
        used: which rows to code, and which rows and columns are used.
        contexts: `NUM_CONTEXTS` of `new_contexts`; they learn.

    Returns:
        The count of symbols.
    """
    rows, columns, first, end = borrowed(used)
    out, numbers, contexts = borrowed(out), borrowed(numbers), borrowed(contexts)
    in_row = len(columns)
    at = 0
    for row in range(first, end):
        for column in range(in_row):
            if rows[row] and columns[column]:
                number = row * in_row + column
                surroundings = surroundings_of(numbers, number, in_row)
                at = put_number(out, at, contexts, int(numbers[number]), surroundings)
    return at


@compiled
def get_table(state: State, words: Words, numbers: Ints, used: Used, contexts: Ints) -> None:
    """Read rows that `put_table` wrote, until a fault is met; ``numbers`` were all 0 before."""
    rows, columns, first, end = borrowed(used)
    state, words = borrowed(state), borrowed(words)
    numbers, contexts = borrowed(numbers), borrowed(contexts)
    in_row = len(columns)
    for row in range(first, end):
        for column in range(in_row):
            if rows[row] and columns[column]:
                number = row * in_row + column
                surroundings = surroundings_of(numbers, number, in_row)
                numbers[number] = get_number(state, words, contexts, surroundings)
        if state[3] != SOUND:
            return


@compiled
def put_used(out: Symbols, flags: Ints, contexts: Ints, is_row: bool) -> int:
    """Code which rows or columns are used, each in the context of the one before."""
    last, at = 0, 0
    for flag in flags:
        at = put_bit(out, at, contexts, (_ROW if is_row else _COLUMN) + last, flag)
        last = flag
    return at


@compiled
def get_used(state: State, words: Words, flags: Ints, contexts: Ints, is_row: bool) -> None:
    """Read flags that `put_used` wrote."""
    last = 0
    for number in range(len(flags)):
        last = get_bit(state, words, contexts, (_ROW if is_row else _COLUMN) + last)
        flags[number] = last


@inlined
def put_number(
    out: Symbols, at: int, contexts: Ints, number: int, surroundings: tuple[int, int]
) -> int:
    """Append a number by the contexts of its size and of its sign."""
    size, signs = surroundings
    at = put_bit(out, at, contexts, ZERO + size, 1 if number else 0)
    if number == 0:
        return at
    at = put_bit(out, at, contexts, _SIGN + signs, 1 if number < 0 else 0)
    exponent = num_digits(abs(number)) - 1
    for digits in range(exponent + 1):
        context = EXPONENT + size * MOST_DIGITS + digits
        at = put_bit(out, at, contexts, context, 1 if exponent > digits else 0)
    high = 0
    for place in range(min(2, exponent)):
        digit = (abs(number) >> (exponent - 1 - place)) & 1
        at = put_bit(out, at, contexts, digit_context(exponent, place, high), digit)
        high = digit
    rest = max(exponent - 2, 0)
    return int(put_long(out, at, abs(number) & ((1 << rest) - 1), rest))


@inlined
def get_number(state: State, words: Words, contexts: Ints, surroundings: tuple[int, int]) -> int:
    """Read a number that `put_number` wrote."""
    size, signs = surroundings
    if get_bit(state, words, contexts, ZERO + size) == 0:
        return 0
    is_negative = get_bit(state, words, contexts, _SIGN + signs)
    exponent = 0
    while get_bit(state, words, contexts, EXPONENT + size * MOST_DIGITS + exponent):
        exponent += 1
        if exponent >= MOST_DIGITS - 1:
            fail(state, DAMAGED)
            return 0
    number, high = 1, 0
    for place in range(min(2, exponent)):
        high = get_bit(state, words, contexts, digit_context(exponent, place, high))
        number = 2 * number + high
    rest = max(exponent - 2, 0)
    if rest:
        number = (number << rest) | int(get_long(state, words, rest))
    return -number if is_negative else number


@inlined
def surroundings_of(numbers: Ints, at: int, in_row: int) -> tuple[int, int]:
    """The contexts of a number's size and of its sign."""
    left = numbers[at - 1] if at > 0 else 0
    before = numbers[at - 2] if at > 1 else 0
    above = numbers[at - in_row] if at >= in_row else 0
    signs = (0 if left == 0 else 1 if left > 0 else 2) * 3
    signs += 0 if above == 0 else 1 if above > 0 else 2
    return size_context(abs(left), abs(before), abs(above)), signs


@inlined
def size_context(left: int, before: int, above: int) -> int:
    """The context of a number's size, by the sizes of its neighbours."""
    size = 2 * min(left, _LARGEST) + min(before, _LARGEST) + 2 * min(above, _LARGEST)
    return min(num_digits(size), SIZES - 1)


@inlined
def digit_context(exponent: int, place: int, high: int) -> int:
    """The context of the second digit (place 0), or of the third by the second, ``high``."""
    return DIGIT + 3 * exponent + (0 if place == 0 else 1 + high)


@inlined
def num_digits(number: int) -> int:
    """How many binary digits a number of at least 0 has."""
    digits = 0
    while number >> digits:
        digits += 1
    return digits
