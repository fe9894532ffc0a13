"""Exponential Golomb codes, written, read and counted. Importing this module imports Numba.

Source: J. Teuhola 1978, A compression method for clustered bit-vectors.
"""

from typing import Final

from bitfold.entropy_coding.numbers.plain_bits import get_bits, get_long, put_bits, put_long
from bitfold.entropy_coding.rans.coder import DAMAGED, SOUND, State, Words, fail
from bitfold.entropy_coding.rans.symbols import Symbols
from bitfold.runtime.compiling import compiled

#: A code that begins with more zeros than this is damaged: whole numbers of float64 end at 2^53.
MOST_ZEROS: Final = 52


@compiled
def put_golomb(out: Symbols, at: int, number: int, order: int) -> int:
    """Append a number of at least 0, and return the new end."""
    high = (number >> order) + 1
    zeros = 0
    while high >> (zeros + 1):
        at = put_bits(out, at, 0, 1)
        zeros += 1
    at = put_bits(out, at, 1, 1)
    at = put_long(out, at, high & ((1 << zeros) - 1), zeros)
    return put_long(out, at, number & ((1 << order) - 1), order)


@compiled
def get_golomb(state: State, words: Words, order: int) -> int:
    """Read a number that `put_golomb` wrote."""
    zeros = 0
    while get_bits(state, words, 1) == 0:
        zeros += 1
        if zeros > MOST_ZEROS or state[3] != SOUND:
            fail(state, DAMAGED)
            return 0
    number = (1 << zeros) | get_long(state, words, zeros)
    return ((number - 1) << order) | get_long(state, words, order)


@compiled
def put_signed(out: Symbols, at: int, number: int, order: int) -> int:
    """Append a number of either sign: the Golomb code of its place in 0, -1, 1, -2, 2, ..."""
    return put_golomb(out, at, -2 * number - 1 if number < 0 else 2 * number, order)


@compiled
def get_signed(state: State, words: Words, order: int) -> int:
    """Read a number that `put_signed` wrote."""
    unsigned = get_golomb(state, words, order)
    return -(unsigned + 1) // 2 if unsigned % 2 else unsigned // 2


def golomb_bits(number: int, order: int) -> int:
    """The bits that `put_golomb` takes for a number of at least 0."""
    return 2 * ((number >> order) + 1).bit_length() - 1 + order
