"""The rANS coder's compiled loops. Importing this module imports Numba.

rANS is a stack: the encoder takes symbols last first, so that the decoder reads them in order. A
stream is cut into segments of `SEGMENT` symbols. Each segment begins with a state of its own, which
bounds the memory that an encoder needs.

Source: J. Duda 2013, Asymmetric numeral systems.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.rans.symbols import MASK, Symbols
from bitfold.runtime.compiling import compiled

Words = NDArray[np.uint16]

State = NDArray[np.int64]
"""Of a decoder: the number that rANS works on, the next word's index, how many symbols are left in
the segment, and the first fault (`SOUND`, `TRUNCATED` or `DAMAGED`)."""

#: States lie between this and 2^48. An encoder begins each segment but the last with this state,
#: and a decoder ends there. Quotients of states, 2^16 times as large as frequencies, lose next to
#: nothing by rounding.
LOWEST: Final = 1 << 32

#: How many words the state at the beginning of a segment takes.
FIRST_WORDS: Final = 3

#: An encoder begins the last segment with this state. No words follow, so its states may be lower,
#: which saves up to four bytes.
LAST: Final = 1

#: Symbols in a segment.
SEGMENT: Final = 1 << 20
SOUND, TRUNCATED, DAMAGED = 0, 1, 2


@compiled
def encode(symbols: Symbols, words: Words, first: int) -> int:
    """Write one segment.

    Args:
        symbols: of the segment, in the order of reading.
        words: room for three more words than there are symbols; filled from the end.
        first: `LAST` for the last segment, `LOWEST` for others.

    Returns:
        How many words were written.
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
    """A number from 0 to 2^16 - 1 that lies in the next symbol; the symbol stays in the stream."""
    if state[2] == 0:
        begin_segment(state, words)
    return int(state[0]) & MASK


@compiled(inline="always")
def take(state: State, words: Words, start: int, frequency: int) -> None:
    """Remove the symbol in which `slot` lies."""
    number = frequency * (state[0] >> 16) + (state[0] & MASK) - start
    # Behind the last word states are low. If words are missing, the final state is not `LAST`.
    if number < LOWEST and state[1] < len(words):
        number = (number << 16) | np.int64(words[state[1]])
        state[1] += 1
    state[0] = number
    state[2] -= 1


@compiled
def begin_segment(state: State, words: Words) -> None:
    """Check the end of the segment before, if there is one, and read the next one's state."""
    if state[1] > 0 and state[0] != LOWEST:
        fail(state, DAMAGED)
    state[2] = SEGMENT
    if state[1] + FIRST_WORDS > len(words):
        fail(state, TRUNCATED)
        return
    state[0] = 0
    for _ in range(FIRST_WORDS):
        state[0] = (state[0] << 16) | np.int64(words[state[1]])
        state[1] += 1


@compiled
def fail(state: State, how: int) -> None:
    """Record the first fault. Everything that is read after it is meaningless."""
    if state[3] == SOUND:
        state[3] = how
