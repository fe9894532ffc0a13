"""The columns of a table of whole numbers by mixed predictions. Imports Numba.

Columns come one after the other; each has a number for each row. A number is a count in unary of
how large it is, and a sign. Each bit of the count is predicted by several adaptive chances, whose
contexts are the numbers around it, how large numbers were in its row and in its column, and the row
itself. The predictions are mixed in the logistic domain, with weights that learn as well.

Source: logistic mixing of adaptive predictions as in PAQ (Mahoney 2005); see `chances`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.mixing.chances import chance_of, learned, logit_of, within
from bitfold.entropy_coding.mixing.tables import NUM_PACES
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]

#: Predictions of each bit, bits of a count in unary, and contexts of a prediction but the row's.
NUM_PREDICTIONS: Final = 5
NUM_UNARY: Final = 18
_CONTEXTS = 256
_MOST_ROWS: Final = 1 << 12
# A chance is at first this much of 2^16; the weights of mixing begin at this much of 2^16.
_FIRST_CHANCE, _FIRST_WEIGHT = 20000, 22938
# A weight changes by the logit times the error times this, among 2^18.
_LEARNING: Final = 12
_HALF: Final = 1 << 15

# A chance forgets: its pace is at least that of this many bits. The row's forgets earlier.
_SLOWEST: Final = NUM_PACES - 1
_SLOWEST_ROW: Final = 60
# Sizes in running means are in 64ths, of at most 64.
_UNIT: Final = 64

State = tuple[Ints, Ints, Ints, Ints, Ints, Ints]
"""Chances (predictions, unary, contexts) and how often each was used; weights (unary,
predictions); chances of signs (9,); the running mean of sizes of each row; a slow and a fast one
along the column."""

Scratch = tuple[Ints, Ints, Ints]
"""Contexts (predictions,), logits (unary, predictions), chances (unary,) of one number."""


def new_state(num_rows: int) -> State:
    """The state before the first column of a table."""
    contexts = max(_CONTEXTS, min(num_rows, _MOST_ROWS))
    shape = (NUM_PREDICTIONS, NUM_UNARY, contexts)
    return (
        np.full(shape, _FIRST_CHANCE, np.int64),
        np.zeros(shape, np.int64),
        np.full((NUM_UNARY, NUM_PREDICTIONS), _FIRST_WEIGHT, np.int64),
        np.full(9, _HALF, np.int64),
        np.zeros(num_rows, np.int64),
        np.zeros(2, np.int64),
    )


def new_scratch() -> Scratch:
    """Room for what `enter` and `predict` find."""
    return (
        np.zeros(NUM_PREDICTIONS, np.int64),
        np.zeros((NUM_UNARY, NUM_PREDICTIONS), np.int64),
        np.zeros(NUM_UNARY, np.int64),
    )


@inlined
def enter(state: State, scratch: Scratch, columns: tuple[Ints, Ints, Ints], row: int) -> None:
    """Find the contexts of a number.

    Args:
        state: of the table.
        scratch: gets the contexts.
        columns: the column itself, known up to the row, the last one and the one before that.
        row: of the number.
    """
    own, last, before = columns
    contexts, means, column = scratch[0], state[4], state[5]
    left, further = abs(last[row]), abs(before[row])
    above = abs(own[row - 1]) if row > 0 else 0
    higher = abs(own[row - 2]) if row > 1 else 0
    of_row, slow, fast = _level(means[row]), _level(column[0]), _level(column[1])
    contexts[0] = _near(2 * left + further) * 16 + _near(2 * above + higher)
    contexts[1] = of_row * 16 + slow
    contexts[2] = of_row * 16 + min(left, 3) * 4 + min(further, 3)
    contexts[3] = slow * 16 + fast
    contexts[4] = min(row, _MOST_ROWS - 1)


@inlined
def predict(state: State, scratch: Scratch, place: int) -> int:
    """The chance among 2^16 that the bit at a place of a count is 1."""
    chances, weights = state[0], state[2]
    contexts, logits = scratch[0], scratch[1]
    total = 0
    for number in range(NUM_PREDICTIONS):
        logit = logit_of(chances[number, place, contexts[number]])
        logits[place, number] = logit
        total += weights[place, number] * logit
    chance = chance_of(total)
    scratch[2][place] = chance
    return chance


@inlined
def learn(state: State, scratch: Scratch, place: int, bit: int) -> None:
    """Learn the bit at a place, which was predicted before."""
    chances, counts, weights = state[0], state[1], state[2]
    contexts, logits = scratch[0], scratch[1]
    error = (bit << 16) - scratch[2][place]
    for number in range(NUM_PREDICTIONS):
        weights[place, number] += (logits[place, number] * error * _LEARNING) >> 18
        context = contexts[number]
        seen = counts[number, place, context]
        chance = chances[number, place, context]
        chances[number, place, context] = learned(chance, bit, seen)
        slowest = _SLOWEST_ROW if number == NUM_PREDICTIONS - 1 else _SLOWEST
        counts[number, place, context] = min(seen + 1, slowest)


@inlined
def sign_context(last: Ints, own: Ints, row: int) -> int:
    """The context of a number's sign."""
    left = last[row]
    above = own[row - 1] if row > 0 else 0
    context = 3 if left > 0 else 6 if left < 0 else 0
    return context + (1 if above > 0 else 2 if above < 0 else 0)


@inlined
def learn_sign(state: State, context: int, is_negative: int) -> None:
    """Learn a number's sign."""
    signs = state[3]
    signs[context] += ((is_negative * 65535) - signs[context]) >> 7


@inlined
def leave(state: State, size: int, row: int) -> None:
    """Learn how large a number was."""
    means, column = state[4], state[5]
    units = min(size, _UNIT) * _UNIT
    means[row] += (units - means[row]) >> 4
    column[0] += (units - column[0]) >> 4
    column[1] += (units - column[1]) >> 2


@inlined
def sign_chance(state: State, context: int) -> int:
    """The chance among 2^16 that a number is below 0."""
    return within(state[3][context])


@inlined
def _near(size: int) -> int:
    """0 to 15 for the sizes of the numbers around."""
    return size if size < 8 else min(8 + ((size - 8) >> 2), 15)


@inlined
def _level(mean: int) -> int:
    """0 to 15 for a running mean: half octaves."""
    digits = 0
    while mean >> digits:
        digits += 1
    if digits < 2:
        return digits
    return min(2 * digits - 3 + ((mean >> (digits - 2)) & 1), 15)
