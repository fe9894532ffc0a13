"""Compiled loops that read what `symbol_kernels` writes of lines. Importing this imports Numba."""

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.rans_kernels import SOUND, State, Words, slot, take
from bitfold.entropy_coding.symbol_kernels import ONE, chance_unset, count_again, new_counts
from bitfold.runtime.compiling import compiled

Ints = NDArray[np.int64]


@compiled
def get_flags(state: State, words: Words, beside: Ints, flags: Ints) -> None:
    """Read as many flags as there are, see `put_flags`."""
    seen = np.zeros((2, 2, 2), np.int64)
    before = 0
    for number in range(len(flags)):
        context = seen[before, beside[number]]
        unset = chance_unset(context)
        flag = 1 if slot(state, words) >= unset else 0
        take(state, words, unset if flag else 0, ONE - unset if flag else unset)
        if state[3] != SOUND:
            return
        context[flag] += 1
        flags[number] = before = flag


@compiled
def get_exponents(state: State, words: Words, unit: int, exponents: Ints) -> None:
    """Read as many exponents as there are, see `put_exponents`."""
    counts = new_counts(unit)
    for i in range(len(exponents)):
        where, total = slot(state, words), counts.sum()
        number, start, before = 0, 0, counts[0]
        end = (before << 16) // total
        while where >= end:
            number += 1
            before += counts[number]
            start, end = end, (before << 16) // total
        take(state, words, start, end - start)
        if state[3] != SOUND:
            return
        exponents[i] = (number - len(counts) // 2) << unit
        count_again(counts, number, unit)
