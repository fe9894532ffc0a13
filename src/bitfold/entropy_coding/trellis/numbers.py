"""Columns of numbers on a trellis, written and read. Importing this module imports Numba.

Columns come one after the other. Numbers have the contexts of `contexts.numbers`, with rows and
columns exchanged, and twice as many: half for each quantiser.
"""

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.numbers import (
    SIZES,
    get_number,
    put_number,
    surroundings_of,
)
from bitfold.entropy_coding.rans.coder import SOUND, State, Words
from bitfold.entropy_coding.rans.symbols import Symbols
from bitfold.entropy_coding.trellis.states import NEXT, number_at, place_of, quantiser_of
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]

Used = tuple[Ints, Ints, int, int]
"""1 for each used column and each used row, else 0; the first column to code, and the end."""


Learner = tuple[Ints, Ints]
"""`NUM_CONTEXTS` of `new_contexts`, which learn, and (1,) the state, which moves on."""


@compiled
def put_columns(out: Symbols, numbers: Ints, used: Used, learner: Learner) -> int:
    """Code some columns of a table.

    Args:
        out: room for `SYMBOLS_EACH` symbols for each number of these columns.
        numbers: int64 (n,), all of the table, column by column, below 2^51 in size; each one of
            the quantiser that its state has.
        used: which columns to code, and which rows and columns are used.
        learner: see `Learner`.

    Returns:
        The count of symbols.
    """
    columns, rows, first, end = borrowed(used)
    contexts, trellis = borrowed(learner)
    out, numbers = borrowed(out), borrowed(numbers)
    in_column = len(rows)
    at = 0
    for column in range(first, end):
        for row in range(in_column if columns[column] else 0):
            here = column * in_column + row
            quantiser = quantiser_of(trellis[0])
            place = place_of(numbers[here], quantiser)
            if rows[row]:
                around = _contexts_of(numbers, here, in_column, quantiser)
                at = put_number(out, at, contexts, place, around)
            trellis[0] = NEXT[trellis[0], place & 1]
    return at


@compiled
def get_columns(state: State, words: Words, numbers: Ints, used: Used, learner: Learner) -> None:
    """Read columns that `put_columns` wrote, until a fault is met; all numbers were 0 before."""
    columns, rows, first, end = borrowed(used)
    contexts, trellis = borrowed(learner)
    state, words, numbers = borrowed(state), borrowed(words), borrowed(numbers)
    in_column = len(rows)
    now = trellis[0]
    for column in range(first, end):
        for row in range(in_column if columns[column] else 0):
            here = column * in_column + row
            place = 0
            if rows[row]:
                quantiser = quantiser_of(now)
                around = _contexts_of(numbers, here, in_column, quantiser)
                place = get_number(state, words, contexts, around)
                numbers[here] = number_at(place, quantiser)
            now = NEXT[now, place & 1]
        if state[3] != SOUND:
            return
    trellis[0] = now


@inlined
def _contexts_of(numbers: Ints, at: int, in_column: int, quantiser: int) -> tuple[int, int]:
    size, signs = surroundings_of(numbers, at, in_column)
    return size + SIZES * quantiser, signs
