"""Tables by which predictions are mixed. Whole numbers alone make them, so all machines agree."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.laplace.tables import exponential

Ints = NDArray[np.int64]

#: A logit is a whole number of 256ths, and smaller than this in size.
MOST_LOGIT: Final = 2047
_POINT, _IN_LOGIT = 96, 256
#: Neither value of a bit is less frequent than this among 2^16.
LEAST: Final = 16
#: Entries of the table of logits, one for each 16 of a frequency.
_STEPS, _STEP = 4096, 16
#: A chance changes by its error times one of these among 2^16, the count of bits seen its index.
NUM_PACES: Final = 256


@cache
def chances_of_logits() -> Ints:
    """int64 (4096,): the frequency among 2^16 for each logit from -2048 on."""
    one, largest = 1 << _POINT, (1 << 16) - LEAST
    upper = list[int]()
    for logit in range(MOST_LOGIT + 2):
        power = exponential((logit << _POINT) // _IN_LOGIT)
        upper.append(min((1 << (16 + _POINT)) // (one + power), largest))
    lower = [(1 << 16) - chance for chance in reversed(upper[1:])]
    return np.array([*lower, *upper[:-1]])


@cache
def logits_of_chances() -> Ints:
    """int64 (4096,): the first logit whose frequency is at least that of each step's middle."""
    middles = np.arange(_STEPS) * _STEP + _STEP // 2
    found = np.searchsorted(chances_of_logits(), middles) - MOST_LOGIT - 1
    return np.clip(found, -MOST_LOGIT, MOST_LOGIT).astype(np.int64)


@cache
def paces() -> Ints:
    """int64 (256,): 2^17 / (2 n + 3), rounded down, after n bits."""
    return (1 << 17) // (2 * np.arange(NUM_PACES) + 3)


@cache
def chance_bits() -> NDArray[np.float64]:
    """float64 (4096,): the bits of a symbol by its frequency, divided by 16."""
    found: NDArray[np.float64] = 12 - np.log2(np.arange(_STEPS) + 0.5)
    return found
