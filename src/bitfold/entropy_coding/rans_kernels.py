"""The entropy coder's compiled loops: rANS over frequencies that add up to 2^16. Imports Numba.

The encoder takes them last first, as rANS is a
stack; the decoder reads words of 16 bits in order. A stream is cut into segments of `SEGMENT`
symbols, each of which begins with a state of its own, so that memory is bounded.

Source: J. Duda 2013, Asymmetric numeral systems, for rANS; the layout of the stream is ours.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.symbol_kernels import MASK, Symbols
from bitfold.runtime.compiling import compiled

Words = NDArray[np.uint16]

State = NDArray[np.int64]
"""Of a decoder: the number that rANS works on, the next word's index, symbols left in the segment,
and, once something was wrong, which (`TRUNCATED` or `DAMAGED`)."""

LOWEST: Final = 1 << 32
"""States lie between this and 2^48; a segment's first, to which a decoder comes back, is this. The
quotients of states 2^16 times as large as frequencies lose next to nothing by being rounded."""

FIRST_WORDS: Final = 3
"""A segment begins with so many words of its state."""

LAST: Final = 1
"""The first state of the last segment. As no words follow it, its states may be lower: that saves
up to four bytes of a file."""

SEGMENT: Final = 1 << 20
SOUND, TRUNCATED, DAMAGED = 0, 1, 2


@compiled
def encode(symbols: Symbols, words: Words, first: int) -> int:
    """Write one segment's words; returns how many.

    Args:
        symbols: of the segment, in the order in which they are to be read.
        words: room for three more than there are symbols; filled from the end.
        first: `LAST` for the last segment, `LOWEST` for others.
    """
    state, at = first, len(words)
    for number in range(len(symbols) - 1, -1, -1):
        start, frequency = int(symbols[number]) & MASK, (int(symbols[number]) >> 16) + 1
        if state >= frequency << 32:
            at -= 1
            words[at] = state & MASK
            state >>= 16
        state = ((state // frequency) << 16) + state % frequency + start
    for _ in range(FIRST_WORDS):
        at -= 1
        words[at] = state & MASK
        state >>= 16
    return len(words) - at


@compiled(inline="always")
def slot(state: State, words: Words) -> int:
    """Where in 2^16 the next symbol lies."""
    if state[2] == 0:
        begin_segment(state, words)
    return int(state[0]) & MASK


@compiled(inline="always")
def take(state: State, words: Words, start: int, frequency: int) -> None:
    """Remove the symbol that `slot` lies in."""
    number = frequency * (state[0] >> 16) + (state[0] & MASK) - start
    # Beyond the last word states are low. If words are missing, the end will not be `LAST`.
    if number < LOWEST and state[1] < len(words):
        number = (number << 16) | np.int64(words[state[1]])
        state[1] += 1
    state[0] = number
    state[2] -= 1


@compiled
def begin_segment(state: State, words: Words) -> None:
    """Begin with the next words."""
    if state[1] > 0 and state[0] != LOWEST:
        _fail(state, DAMAGED)
    state[2] = SEGMENT
    if state[1] + FIRST_WORDS > len(words):
        _fail(state, TRUNCATED)
        return
    state[0] = 0
    for _ in range(FIRST_WORDS):
        state[0] = (state[0] << 16) | np.int64(words[state[1]])
        state[1] += 1


@compiled
def _fail(state: State, how: int) -> None:
    """Remember the first thing that is wrong; what is read from then on is of no use."""
    if state[3] == SOUND:
        state[3] = how


@compiled
def read_bits(state: State, words: Words, num_bits: int) -> int:
    """A number of up to 16 bits that was sent plainly."""
    number = slot(state, words) >> (16 - num_bits)
    take(state, words, number << (16 - num_bits), 1 << (16 - num_bits))
    return number


@compiled
def read_long(state: State, words: Words, num_bits: int) -> int:
    """A number of up to 62 bits, 16 at a time, the highest ones first."""
    number = 0
    while num_bits > 16:
        number = (number << 16) | read_bits(state, words, 16)
        num_bits -= 16
    return (number << num_bits) | read_bits(state, words, num_bits) if num_bits else number


@compiled
def read_golomb(state: State, words: Words, order: int, most_zeros: int) -> int:
    """A number by its exponential Golomb code."""
    zeros = 0
    while read_bits(state, words, 1) == 0:
        zeros += 1
        if zeros > most_zeros or state[3] != SOUND:
            _fail(state, DAMAGED)
            return 0
    number = (1 << zeros) | read_long(state, words, zeros)
    return ((number - 1) << order) | read_long(state, words, order)


@compiled
def read_plain(state: State, words: Words, num_bits: int, out: NDArray[Any]) -> None:
    """Numbers of up to 16 bits, sent plainly, into ``out``."""
    for number in range(len(out)):
        out[number] = read_bits(state, words, num_bits)
        if state[3] != SOUND:
            return
