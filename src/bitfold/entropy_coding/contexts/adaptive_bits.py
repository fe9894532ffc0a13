"""Bits whose probability is learned as they come, written and read. Imports Numba.

Each bit has a context. Two running means, a fast and a slow one, tell how often bits in the same
context were 0; encoder and decoder learn alike.

Source: binary adaptive models as in CABAC (Marpe, Schwarz & Wiegand 2003).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.rans.coder import LOWEST, State, Words, begin_segment
from bitfold.entropy_coding.rans.symbols import MASK, TOTAL, Symbols, packed
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]

_HALF: Final = 1 << 15
# Neither value of a bit is less frequent than this among 2^16.
_LEAST: Final = 1 << 5
# A mean at first is that of all bits so far. From 2^5 (fast) or 2^8 (slow) bits on it forgets.
_FAST, _SLOW, _SEEN = 5, 8, 255
# The rounded logarithm of the count of bits seen, plus 1.5.
_PACES: Final = np.rint(np.log2(np.arange(_SEEN + 1) + 1.5)).astype(np.int64)


def new_contexts(count: int) -> Ints:
    """Contexts in which nothing was seen: int64 (count, 3).

    Each has the frequency of 0 among 2^16 by the fast and by the slow mean, and the count of bits.
    """
    contexts = np.full((count, 3), _HALF, np.int64)
    contexts[:, 2] = 0
    return contexts


@inlined
def put_bit(out: Symbols, at: int, contexts: Ints, context: int, bit: int) -> int:
    """Append a bit, learn from it, and return the new end."""
    mean = (contexts[context, 0] + contexts[context, 1]) >> 1
    zeros = int(min(max(mean, _LEAST), TOTAL - _LEAST))
    out[at] = packed(zeros, TOTAL) if bit else packed(0, zeros)
    seen = contexts[context, 2]
    for place, slowest in ((0, _FAST), (1, _SLOW)):
        mean = contexts[context, place]
        target = 0 if bit else TOTAL
        contexts[context, place] = mean + ((target - mean) >> min(_PACES[seen], slowest))
    contexts[context, 2] = min(seen + 1, _SEEN)
    return at + 1


@inlined
def get_bit(state: State, words: Words, contexts: Ints, context: int) -> int:
    """Read a bit that `put_bit` wrote, and learn from it."""
    # `slot` and `take` in one piece: a call that hands an array on costs more than a bit.
    if state[2] == 0:
        begin_segment(state, words)
    fast, slow = contexts[context, 0], contexts[context, 1]
    seen = contexts[context, 2]
    zeros = min(max((fast + slow) >> 1, _LEAST), TOTAL - _LEAST)
    number = state[0]
    where = number & MASK
    bit = 1 if where >= zeros else 0
    start = zeros * bit
    frequency = zeros + bit * (TOTAL - 2 * zeros)
    number = frequency * (number >> 16) + where - start
    at = state[1]
    if number < LOWEST and at < len(words):
        number = (number << 16) | np.int64(words[at])
        state[1] = at + 1
    state[0] = number
    state[2] -= 1
    pace, target = _PACES[seen], (1 - bit) << 16
    contexts[context, 0] = fast + ((target - fast) >> min(pace, _FAST))
    contexts[context, 1] = slow + ((target - slow) >> min(pace, _SLOW))
    contexts[context, 2] = min(seen + 1, _SEEN)
    return bit
