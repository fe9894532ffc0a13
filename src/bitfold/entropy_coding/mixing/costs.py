"""What other numbers would have cost in the place of those that are coded. Imports Numba."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.mixing.bits import (
    Scratch,
    State,
    begin_tensor,
    end_tensor,
    enter_unused,
    second_chance,
    sign_chance,
    size_chance,
    unused_chance,
    used_chance,
    usual_size,
)
from bitfold.entropy_coding.mixing.numbers import (
    MOST_SIZE,
    SYMBOLS_EACH,
    Table,
    enter_number,
    put_number,
    size_of,
)
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_TOTAL: Final = 1 << 16


@compiled
def count_table(
    numbers: Ints,
    asked: tuple[Ints, Ints],
    table: Table,
    state: State,
    scratch: Scratch,
    found: tuple[Floats, Floats],
) -> None:
    """Count the bits that each of some numbers would take in each place of a tensor.

    All other numbers are as they are, and what is predicted of a place does not change with the
    number that is asked for there: it follows from the numbers before it. A number in an unused row
    or column takes no bits. Another one in its place takes those of a number that nothing around it
    predicts, and those of the zeros of its row or column, which then have to be coded too.

    Args:
        numbers: int64 (n,), all of the tensor.
        asked: int64 (j, n) and (k, n), below 2^51 in size.
        table: what a decoder knows of the tensor; all rows.
        state: learns ``numbers``.
        scratch: room.
        found: (j, n) and (k, n), written: the bits of the first numbers asked for; and those of the
            second ones, but linear from 0 to the usual size of numbers, see `usual_size`, and from
            there between each power of 2 and the next.
    """
    table, state, scratch = borrowed(table), borrowed(state), borrowed(scratch)
    numbers = borrowed(numbers)
    (costing, sloping), (bits, smooth) = borrowed(asked), borrowed(found)
    rows, columns, _, is_vector, _, _ = table
    begin_tensor(state, is_vector)
    in_row, room = len(columns), np.empty(SYMBOLS_EACH, np.uint32)
    num_rows, num_columns = rows.sum(), columns.sum()
    for row in range(len(rows)):
        for column in range(in_row):
            at = row * in_row + column
            is_coded = rows[row] and columns[column]
            toll = 0.0
            if is_coded:
                enter_number(state, scratch, numbers, table, (row, column))
                chance = used_chance(state, scratch)
            else:
                enter_unused(state, scratch)
                chance = unused_chance(state)
                more = (0 if rows[row] else num_columns) + (0 if columns[column] else num_rows)
                toll = more * _cost(_TOTAL - chance)
            nothing = _cost(_TOTAL - chance) if is_coded else 0.0
            for number in range(len(costing)):
                one = costing[number, at]
                bits[number, at] = (
                    nothing if one == 0 else toll + _bits(state, scratch, chance, one)
                )
            for number in range(len(sloping)):
                one = sloping[number, at]
                smooth[number, at] = _smooth(state, scratch, chance, one, nothing, toll)
            if is_coded:
                put_number(room, 0, state, scratch, int(numbers[at]))
    end_tensor(state, is_vector)


@inlined
def _smooth(
    state: State, scratch: Scratch, chance: int, number: int, nothing: float, toll: float
) -> float:
    """The bits of a number on the line from 0 to the usual size, or between two powers of 2."""
    magnitude, sign = abs(number), 1 if number > 0 else -1
    usual = 1 << usual_size(scratch)
    if magnitude < usual:
        low, high, first = 0, usual, nothing
    else:
        low = 1 << size_of(magnitude)
        high = 2 * low
        first = toll + _bits(state, scratch, chance, sign * low)
    if magnitude == low or low == 1 << MOST_SIZE:
        return first
    share = (magnitude - low) / (high - low)
    return first + share * (toll + _bits(state, scratch, chance, sign * high) - first)


@inlined
def _bits(state: State, scratch: Scratch, chance: int, number: int) -> float:
    """The bits of `put_number`, which would learn."""
    if number == 0:
        return _cost(_TOTAL - chance)
    negative = sign_chance(state, scratch)
    found = _cost(chance) + _cost(negative if number < 0 else _TOTAL - negative)
    magnitude = abs(number)
    size = size_of(magnitude)
    for smaller in range(size):
        found += _cost(size_chance(state, scratch, smaller))
    found += _cost(_TOTAL - size_chance(state, scratch, size))
    if size == 0:
        return found
    digit = second_chance(state, scratch, size)
    is_set = (magnitude >> (size - 1)) & 1
    return found + _cost(digit if is_set else _TOTAL - digit) + size - 1


@inlined
def _cost(frequency: int) -> float:
    """The bits of a symbol with this frequency among 2^16."""
    return 16.0 - math.log2(frequency)
