"""Numbers in plain bits, written and read. Importing this module imports Numba.

A ``put_*`` with an empty ``out`` only counts symbols.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.rans.coder import SOUND, State, Words, slot, take
from bitfold.entropy_coding.rans.symbols import MASK, Symbols
from bitfold.runtime.compiling import compiled


@compiled
def put_bits(out: Symbols, at: int, number: int, num_bits: int) -> int:
    """Append a number of up to 16 bits, and return the new end."""
    if len(out):
        width = 16 - num_bits
        out[at] = (number << width) | (((1 << width) - 1) << 16)
    return at + 1


@compiled
def get_bits(state: State, words: Words, num_bits: int) -> int:
    """Read a number that `put_bits` wrote."""
    number = slot(state, words) >> (16 - num_bits)
    take(state, words, number << (16 - num_bits), 1 << (16 - num_bits))
    return number


@compiled
def put_long(out: Symbols, at: int, number: int, num_bits: int) -> int:
    """Append a number of up to 62 bits, 16 at a time, the highest ones first."""
    while num_bits > 16:
        at = put_bits(out, at, (number >> (num_bits - 16)) & MASK, 16)
        num_bits -= 16
    return put_bits(out, at, number & ((1 << num_bits) - 1), num_bits) if num_bits else at


@compiled
def get_long(state: State, words: Words, num_bits: int) -> int:
    """Read a number that `put_long` wrote."""
    number = 0
    while num_bits > 16:
        number = (number << 16) | get_bits(state, words, 16)
        num_bits -= 16
    return (number << num_bits) | get_bits(state, words, num_bits) if num_bits else number


def plain_symbols(numbers: NDArray[np.int64], num_bits: int) -> Symbols:
    """The symbols of an array of numbers, each from 0 to 2^num_bits - 1, of up to 16 bits."""
    width = 16 - num_bits
    symbols = (numbers << width) | (((1 << width) - 1) << 16)
    return symbols.astype(np.uint32)


@compiled
def get_plain(state: State, words: Words, num_bits: int, out: NDArray[Any]) -> None:
    """Read numbers that `plain_symbols` wrote into ``out``, until it is full or a fault is met."""
    for number in range(len(out)):
        out[number] = get_bits(state, words, num_bits)
        if state[3] != SOUND:
            return
