"""Which rows or columns are dead: flags, written and read. Importing this module imports Numba.

A flag's context is the flag before it (0 before the first) and the flag beside it, which a decoder
knows. Its probability follows from the flags already coded in that context.
"""

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.numbers.flags import get_flag, put_flag
from bitfold.entropy_coding.rans.coder import SOUND, State, Words
from bitfold.entropy_coding.rans.symbols import TOTAL, Symbols
from bitfold.runtime.compiling import compiled

Ints = NDArray[np.int64]


@compiled
def put_dead_flags(out: Symbols, at: int, flags: Ints, beside: Ints) -> int:
    """Append flags.

    Args:
        out: room for them, or empty: then they are only counted.
        at: where to append.
        flags: 0 or 1 (n,).
        beside: 0 or 1 (n,), known to the decoder.

    Returns:
        The new end.
    """
    seen = np.zeros((2, 2, 2), np.int64)
    before = 0
    for number in range(len(flags)):
        context, flag = seen[before, beside[number]], flags[number]
        at = put_flag(out, at, flag, _zeros_after(context))
        context[flag] += 1
        before = flag
    return at


@compiled
def get_dead_flags(state: State, words: Words, beside: Ints, flags: Ints) -> None:
    """Read flags that `put_dead_flags` wrote, until ``flags`` is full or a fault is met."""
    seen = np.zeros((2, 2, 2), np.int64)
    before = 0
    for number in range(len(flags)):
        context = seen[before, beside[number]]
        flag = get_flag(state, words, _zeros_after(context))
        if state[3] != SOUND:
            return
        context[flag] += 1
        flags[number] = before = flag


@compiled
def flags_beside(neurons: Ints, count: int, axis: int) -> Ints:
    """The dead-neuron flags of the previous layer, one per column; all 0 for rows.

    Columns are 0 too if their count is no multiple of the neurons'.

    Args:
        neurons: of the last tensor that had rows, 0 or 1 for each; one 0 before the first.
        count: of rows or columns.
        axis: 0 for rows, 1 for columns.
    """
    if axis == 0 or count % len(neurons):
        return np.zeros(count, np.int64)
    return np.repeat(neurons, count // len(neurons))


@compiled(inline="always")
def _zeros_after(seen: Ints) -> int:
    """Frequency of 0 among 2^16, after ``seen[0]`` zeros and ``seen[1]`` ones.

    Source: R. E. Krichevsky & V. K. Trofimov 1981: (2 n + 1) / (2 m + 2) for n of m.
    """
    quotient = ((2 * seen[0] + 1) << 16) // (2 * (seen[0] + seen[1]) + 2)
    return int(min(max(quotient, 1), TOTAL - 1))
