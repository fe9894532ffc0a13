"""Tensors of whole numbers by mixed predictions of adaptive bits: written, read and counted.

Importing this module imports Numba.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.mixing.bits import (
    Scratch,
    State,
    begin_tensor,
    end_tensor,
    enter,
    learn_line,
    learn_second,
    learn_sign,
    learn_size,
    learn_used,
    line_chance,
    second_chance,
    sign_chance,
    size_chance,
    used_chance,
)
from bitfold.entropy_coding.numbers.flags import get_flag, put_flag
from bitfold.entropy_coding.numbers.plain_bits import get_long, put_long
from bitfold.entropy_coding.rans.coder import DAMAGED, SOUND, Words, fail
from bitfold.entropy_coding.rans.coder import State as Decoder
from bitfold.entropy_coding.rans.symbols import Symbols
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]

Table = tuple[Ints, Ints, Ints, bool, int, int]
"""1 for each used row and column, else 0; kinds of numbers in turn, which begin anew after the
last; whether the tensor is a vector; the first row to code, and the end."""

#: At most this many symbols say what a number is.
SYMBOLS_EACH: Final = 60
#: The largest `size_of` a number.
MOST_SIZE: Final = 50
_TOTAL: Final = 1 << 16


@compiled
def put_lines(out: Symbols, flags: Ints, besides: Ints, first: int, state: State) -> int:
    """Code which rows or columns are used.

    Args:
        out: room for a symbol each.
        flags: 1 for each used one, else 0.
        besides: 0 or 1, known to the decoder; or -1 if it knows nothing.
        first: 0 for rows, 2 for columns.
        state: learns.
    """
    last = 1
    for number in range(len(flags)):
        context = line_context(first, last, besides[number])
        put_flag(out, number, flags[number], _TOTAL - line_chance(state, context))
        last = flags[number]
        learn_line(state, context, last)
    return len(flags)


@compiled
def get_lines(
    decoder: Decoder, words: Words, flags: Ints, besides: Ints, first: int, state: State
) -> None:
    """Read flags that `put_lines` wrote."""
    last = 1
    for number in range(len(flags)):
        context = line_context(first, last, besides[number])
        last = get_flag(decoder, words, _TOTAL - line_chance(state, context))
        flags[number] = last
        learn_line(state, context, last)


@compiled
def put_table(out: Symbols, numbers: Ints, table: Table, state: State, scratch: Scratch) -> int:
    """Code some rows of a tensor; rows come in order.

    Args:
        out: room for `SYMBOLS_EACH` symbols for each number of these rows.
        numbers: int64 (n,), all of the tensor, below 2^51 in size.
        table: what a decoder knows of it.
        state: learns.
        scratch: room.

    Returns:
        The count of symbols.
    """
    table, state, scratch = borrowed(table), borrowed(state), borrowed(scratch)
    out, numbers = borrowed(out), borrowed(numbers)
    rows, columns, _, is_vector, first, end = table
    if first == 0:
        begin_tensor(state, is_vector)
    at, in_row = 0, len(columns)
    for row in range(first, end):
        for column in range(in_row):
            if rows[row] and columns[column]:
                enter_number(state, scratch, numbers, table, (row, column))
                at = put_number(out, at, state, scratch, int(numbers[row * in_row + column]))
    if end == len(rows):
        end_tensor(state, is_vector)
    return at


@compiled
def get_table(
    decoder: Decoder, words: Words, numbers: Ints, table: Table, state: State, scratch: Scratch
) -> None:
    """Read rows that `put_table` wrote, until a fault is met; ``numbers`` were all 0 before."""
    table, state, scratch = borrowed(table), borrowed(state), borrowed(scratch)
    decoder, words, numbers = borrowed(decoder), borrowed(words), borrowed(numbers)
    rows, columns, _, is_vector, first, end = table
    if first == 0:
        begin_tensor(state, is_vector)
    in_row = len(columns)
    for row in range(first, end):
        for column in range(in_row):
            if rows[row] and columns[column]:
                enter_number(state, scratch, numbers, table, (row, column))
                numbers[row * in_row + column] = _get_number(decoder, words, state, scratch)
        if decoder[3] != SOUND:
            return
    if end == len(rows):
        end_tensor(state, is_vector)


@inlined
def line_context(first: int, last: int, beside: int) -> int:
    """The context of a row's or column's flag: 0 to 7."""
    return first + last + (2 + 2 * beside if beside >= 0 else 0)


@inlined
def enter_number(
    state: State, scratch: Scratch, numbers: Ints, table: Table, place: tuple[int, int]
) -> None:
    """Find what predicts the number in a row and a column."""
    rows, columns, kinds, _, _, _ = table
    row, column = place
    in_row = len(columns)
    at = row * in_row + column
    before = numbers[at - 1] if at > 0 else 0
    further = numbers[at - 2] if at > 1 else 0
    above = numbers[at - in_row] if row > 0 else 0
    enter(
        state, scratch, (before, further, above), (row, len(rows) + column), kinds[at % len(kinds)]
    )


@inlined
def put_number(out: Symbols, at: int, state: State, scratch: Scratch, number: int) -> int:
    """Append a number that `enter_number` was called for, learn it, and return the new end."""
    chance, is_used = used_chance(state, scratch), 1 if number else 0
    at = put_flag(out, at, is_used, _TOTAL - chance)
    learn_used(state, scratch, chance, is_used)
    if not is_used:
        return at
    is_negative, magnitude = 1 if number < 0 else 0, abs(number)
    at = put_flag(out, at, is_negative, _TOTAL - sign_chance(state, scratch))
    learn_sign(state, scratch, is_negative)
    size = size_of(magnitude)
    for smaller in range(size + 1):
        is_larger = 1 if size > smaller else 0
        at = put_flag(out, at, is_larger, _TOTAL - size_chance(state, scratch, smaller))
    learn_size(state, scratch, size)
    if size == 0:
        return at
    digit = (magnitude >> (size - 1)) & 1
    at = put_flag(out, at, digit, _TOTAL - second_chance(state, scratch, size))
    learn_second(state, scratch, size, digit)
    return int(put_long(out, at, magnitude & ((1 << (size - 1)) - 1), size - 1))


@inlined
def _get_number(decoder: Decoder, words: Words, state: State, scratch: Scratch) -> int:
    chance = used_chance(state, scratch)
    is_used = get_flag(decoder, words, _TOTAL - chance)
    learn_used(state, scratch, chance, is_used)
    if not is_used:
        return 0
    is_negative = get_flag(decoder, words, _TOTAL - sign_chance(state, scratch))
    learn_sign(state, scratch, is_negative)
    size, is_larger = -1, 1
    while is_larger:
        size += 1
        if size > MOST_SIZE:
            fail(decoder, DAMAGED)
            return 0
        is_larger = get_flag(decoder, words, _TOTAL - size_chance(state, scratch, size))
    learn_size(state, scratch, size)
    magnitude = 1
    if size:
        digit = get_flag(decoder, words, _TOTAL - second_chance(state, scratch, size))
        learn_second(state, scratch, size, digit)
        magnitude = 2 + digit
        if size > 1:
            magnitude = (magnitude << (size - 1)) | int(get_long(decoder, words, size - 1))
    return -magnitude if is_negative else magnitude


@inlined
def size_of(magnitude: int) -> int:
    """The binary digits of a number of at least 1, less one."""
    digits = 0
    while magnitude >> digits:
        digits += 1
    return digits - 1
