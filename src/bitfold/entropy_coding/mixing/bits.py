"""The predictions of the bits that say what a number of a tensor is. Imports Numba.

Everything that was coded before predicts a number: whether the numbers around it are 0, how often
numbers of its row, its column and its tensor were other than 0, and how large they were.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.mixing.chances import (
    ONE,
    chance_of,
    learned,
    logit_of,
    within,
)
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]

#: Kinds of numbers: in a table; in a vector beside an unused row or a used one; in another vector.
TABLE, UNUSED, USED, OTHER = range(4)
# Chances, by what they are of. Those of tensors, rows and columns begin anew with each tensor.
_KIND: Final = 0
_NEAR: Final = _KIND + 4
_SIGN: Final = _NEAR + 8 * 4
_LINE: Final = _SIGN + 9
_SIZE: Final = _LINE + 8
_MOST_SIZE: Final = 51
_AROUND: Final = _SIZE + _MOST_SIZE
_FAR: Final = 4
_SECOND: Final = _AROUND + 2 * _FAR + 1
_TENSOR: Final = _SECOND + 2 * _FAR + 1
_ROWS: Final = _TENSOR + 1
# As many bits as the first value of a chance counts for.
_TRUST_KIND, _TRUST_NEAR, _TRUST_SIGN, _TRUST_LINE = 2, 2, 8, 1
_TRUST_SIZE, _TRUST_AROUND, _TRUST_SECOND, _TRUST_TENSOR, _TRUST_ROW = 8, 8, 8, 24, 3
# The first values among 2^16: of numbers other than 0, used lines, the next size, second digits.
_FIRST_USED, _FIRST_LINE, _FIRST_SIZE, _FIRST_SECOND = 22938, 45875, 39322, 29491
# Whether a size is larger, by how far it is above the level, from -4 on.
_FIRST_AROUND: Final = np.array([62259, 62259, 55706, 49152, 26214, 6554, 6554, 6554, 6554])
# Weights of the predictions of a bit, among 2^16: row, column, near, tensor; size, around.
_FIRST_WEIGHTS: Final = np.array([45875, 19661, 6554, -6554, 19661, 45875])
_NONE_MET: Final = -1
# A weight changes by the logit times the error times this, among 2^18.
_LEARNING: Final = 12
# Levels are in 256ths of a binary digit.
_DIGIT: Final = 256
_FIRST_LEVEL: Final = 5 * _DIGIT

State = tuple[Ints, Ints, Ints, Ints]
"""Chances; how often each was met, -1 before it has a value; weights of mixing; the level of tables
and of vectors, and of this tensor the sum of sizes and their count."""

Scratch = tuple[Ints, Ints]
"""Chances (4,) and logits (4,) of a bit; and behind the chances: near, row, column, kind, sign
context and level of a number."""

_OF_NUMBER: Final = 4


def new_state(most_lines: int) -> State:
    """The state before the first tensor.

    Args:
        most_lines: rows and columns of a tensor, at most.
    """
    size = _ROWS + most_lines
    chances, met = np.full(size, ONE // 2, np.int64), np.zeros(size, np.int64)
    for first, end, value, trust in (
        (_KIND, _NEAR, _FIRST_USED, _TRUST_KIND),
        (_NEAR, _SIGN, _FIRST_USED, _TRUST_NEAR),
        (_SIGN, _LINE, ONE // 2, _TRUST_SIGN),
        (_LINE, _SIZE, _FIRST_LINE, _TRUST_LINE),
        (_SIZE, _AROUND, _FIRST_SIZE, _TRUST_SIZE),
        (_SECOND, _TENSOR, _FIRST_SECOND, _TRUST_SECOND),
    ):
        chances[first:end], met[first:end] = value, trust
    chances[_AROUND:_SECOND], met[_AROUND:_SECOND] = _FIRST_AROUND, _TRUST_AROUND
    levels = np.array([_FIRST_LEVEL, _FIRST_LEVEL, 0, 0])
    return chances, met, _FIRST_WEIGHTS.copy(), levels


def new_scratch() -> Scratch:
    """Room for what is found of a number."""
    return np.zeros(_OF_NUMBER + 6, np.int64), np.zeros(4, np.int64)


@inlined
def begin_tensor(state: State, is_vector: bool) -> None:
    """Forget rows and columns; sizes begin as in the last tensor of the same sort."""
    _, met, _, levels = state
    met[_TENSOR:] = _NONE_MET
    levels[2], levels[3] = levels[1 if is_vector else 0], 1


@inlined
def end_tensor(state: State, is_vector: bool) -> None:
    """Keep the level of sizes for the next tensor of the same sort."""
    levels = state[3]
    levels[1 if is_vector else 0] = levels[2] // levels[3]


@inlined
def line_chance(state: State, context: int) -> int:
    """The chance that a row or column is used."""
    return within(state[0][_LINE + context])


@inlined
def learn_line(state: State, context: int, bit: int) -> None:
    """Learn whether a row or column is used."""
    _learn(state, _LINE + context, bit)


@inlined
def enter(
    state: State, scratch: Scratch, around: tuple[int, int, int], lines: tuple[int, int], kind: int
) -> None:
    """Find what predicts a number.

    Args:
        state: of all tensors.
        scratch: gets it.
        around: the number before it in memory, the one before that, and the one a row above.
        lines: its row, and the count of rows plus its column.
        kind: of the number.
    """
    found, levels = scratch[0], state[3]
    before, further, above = around
    cell = (before != 0) + 2 * (further != 0) + 4 * (above != 0)
    found[_OF_NUMBER] = _NEAR + 8 * kind + cell
    found[_OF_NUMBER + 1], found[_OF_NUMBER + 2] = _ROWS + lines[0], _ROWS + lines[1]
    found[_OF_NUMBER + 3] = _KIND + kind
    found[_OF_NUMBER + 4] = _SIGN + 3 * _sign(before) + _sign(above)
    found[_OF_NUMBER + 5] = (levels[2] // levels[3] + _DIGIT // 2) // _DIGIT


@inlined
def enter_unused(state: State, scratch: Scratch) -> None:
    """Find what predicts a number of an unused row or column, if it had to be coded."""
    found, levels = scratch[0], state[3]
    found[_OF_NUMBER + 4] = _SIGN
    found[_OF_NUMBER + 5] = (levels[2] // levels[3] + _DIGIT // 2) // _DIGIT


@inlined
def unused_chance(state: State) -> int:
    """The chance that such a number is other than 0: that of the tensor, or of its kind."""
    chances, met = state[0], state[1]
    return within(chances[_KIND + TABLE if met[_TENSOR] == _NONE_MET else _TENSOR])


@inlined
def usual_size(scratch: Scratch) -> int:
    """The binary digits, less one, that numbers other than 0 have had on average."""
    return int(scratch[0][_OF_NUMBER + 5])


@inlined
def used_chance(state: State, scratch: Scratch) -> int:
    """The chance that the number is other than 0."""
    found = scratch[0]
    _meet(state, _TENSOR, found[_OF_NUMBER + 3], _TRUST_TENSOR)
    for place in (1, 2):
        _meet(state, found[_OF_NUMBER + place], _TENSOR, _TRUST_ROW)
    found[0], found[1] = found[_OF_NUMBER + 1], found[_OF_NUMBER + 2]
    found[2], found[3] = found[_OF_NUMBER], _TENSOR
    return _mixed(state, scratch, 0, 4)


@inlined
def learn_used(state: State, scratch: Scratch, chance: int, bit: int) -> None:
    """Learn whether the number is other than 0; the chance is that of `used_chance`."""
    _learn_mixed(state, scratch, (0, 4), chance, bit)
    _learn(state, scratch[0][_OF_NUMBER + 3], bit)


@inlined
def sign_chance(state: State, scratch: Scratch) -> int:
    """The chance that the number is below 0."""
    return within(state[0][scratch[0][_OF_NUMBER + 4]])


@inlined
def learn_sign(state: State, scratch: Scratch, bit: int) -> None:
    """Learn whether the number is below 0."""
    _learn(state, scratch[0][_OF_NUMBER + 4], bit)


@inlined
def size_chance(state: State, scratch: Scratch, size: int) -> int:
    """The chance that the number has more binary digits than ``size + 1``."""
    found = scratch[0]
    off = min(max(size - found[_OF_NUMBER + 5], -_FAR), _FAR)
    found[0], found[1] = _SIZE + size, _AROUND + _FAR + off
    return _mixed(state, scratch, 4, 2)


@inlined
def learn_size(state: State, scratch: Scratch, size: int) -> None:
    """Learn the binary digits of a number other than 0, less one.

    The bits that say so are learned together, so that each was predicted by the numbers before this
    one alone: then a number costs the same whether it is there or asked for.
    """
    levels = state[3]
    for smaller in range(size + 1):
        chance = size_chance(state, scratch, smaller)
        _learn_mixed(state, scratch, (4, 2), chance, 1 if size > smaller else 0)
    levels[2] += size * _DIGIT
    levels[3] += 1


@inlined
def second_chance(state: State, scratch: Scratch, size: int) -> int:
    """The chance that the second binary digit of a number is 1."""
    return within(state[0][_second(scratch, size)])


@inlined
def learn_second(state: State, scratch: Scratch, size: int, bit: int) -> None:
    """Learn the second binary digit of a number."""
    _learn(state, _second(scratch, size), bit)


@inlined
def _second(scratch: Scratch, size: int) -> int:
    off = min(max(size - scratch[0][_OF_NUMBER + 5], -_FAR), _FAR)
    return int(_SECOND + _FAR + off)


@inlined
def _sign(number: int) -> int:
    return 0 if number == 0 else 1 if number > 0 else 2


@inlined
def _meet(state: State, at: int, parent: int, trust: int) -> None:
    """Begin a chance that was not met before with the value of another one."""
    chances, met = state[0], state[1]
    if met[at] == _NONE_MET:
        chances[at], met[at] = chances[parent], trust


@inlined
def _mixed(state: State, scratch: Scratch, first: int, count: int) -> int:
    """The chance by some chances' logits, with the weights from ``first`` on."""
    found, logits = scratch
    total = 0
    for number in range(count):
        logits[number] = logit_of(state[0][found[number]])
        total += state[2][first + number] * logits[number]
    return chance_of(total)


@inlined
def _learn_mixed(
    state: State, scratch: Scratch, weights: tuple[int, int], chance: int, bit: int
) -> None:
    found, logits = scratch
    error = bit * ONE - chance
    for number in range(weights[1]):
        state[2][weights[0] + number] += (logits[number] * error * _LEARNING) >> 18
        _learn(state, found[number], bit)


@inlined
def _learn(state: State, at: int, bit: int) -> None:
    chances, met = state[0], state[1]
    chances[at] = learned(chances[at], bit, met[at])
    met[at] += 1
