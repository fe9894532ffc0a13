"""Adaptive chances of bits, and mixtures of their predictions. Importing this module imports Numba.

A chance is a frequency among 2^16 that a bit is 1, and a count of the bits from which it learned. A
mixture adds up the logits of several chances; its weights learn too.

Source: logistic mixing of adaptive predictions as in PAQ (Mahoney 2005).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.mixing.tables import (
    LEAST,
    MOST_LOGIT,
    NUM_PACES,
    chances_of_logits,
    logits_of_chances,
    paces,
)
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]

_CHANCES: Final = chances_of_logits()
_LOGITS: Final = logits_of_chances()
_PACES: Final = paces()
#: A weight of 1.
ONE: Final = 1 << 16
_TOTAL: Final = 1 << 16


@inlined
def logit_of(chance: int) -> int:
    """The logit of a chance among 2^16, in 256ths."""
    return int(_LOGITS[chance >> 4])


@inlined
def chance_of(weighted: int) -> int:
    """The chance among 2^16 of a sum of logits times weights."""
    mixed = min(max(weighted >> 16, -MOST_LOGIT), MOST_LOGIT)
    return int(_CHANCES[mixed + MOST_LOGIT + 1])


@inlined
def learned(chance: int, bit: int, seen: int) -> int:
    """A chance after a bit; ``seen`` says how many bits it stands for, and so how far it moves."""
    pace = _PACES[min(seen, NUM_PACES - 1)]
    return int(chance + (((bit * (_TOTAL - 1) - chance) * pace) >> 16))


@inlined
def within(chance: int) -> int:
    """A chance at which neither value of a bit is too rare to be coded."""
    return int(min(max(chance, LEAST), _TOTAL - LEAST))
