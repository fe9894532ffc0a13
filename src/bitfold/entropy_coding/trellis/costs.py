"""What places on a trellis would cost by adaptive bits. Importing this module imports Numba."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.numbers import (
    EXPONENT,
    MOST_DIGITS,
    MOST_SIZES,
    ZERO,
    digit_context,
)
from bitfold.entropy_coding.mixing.tables import chance_bits
from bitfold.entropy_coding.rans.symbols import TOTAL
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Sizes of numbers in a table of costs: 0 to 31.
NUM_COSTS: Final = 32
_DIGITS: Final = 5
_BITS: Final = chance_bits()


def new_costs() -> Floats:
    """Room for what `fill_costs` finds."""
    return np.zeros((MOST_SIZES, NUM_COSTS))


@compiled
def fill_costs(contexts: Ints, costs: Floats) -> None:
    """Find the bits of small numbers as contexts are now; a sign counts as one bit.

    Args:
        contexts: of `numbers`.
        costs: (sizes, numbers), by the context of the size and the number without its sign.
    """
    for size in range(len(costs)):
        costs[size, 0] = _bit_cost(contexts, ZERO + size, 0)
        first = _bit_cost(contexts, ZERO + size, 1) + 1
        for exponent in range(_DIGITS):
            context = EXPONENT + size * MOST_DIGITS + exponent
            _fill_digits(contexts, costs[size], exponent, first + _bit_cost(contexts, context, 0))
            first += _bit_cost(contexts, context, 1)


@inlined
def cost_of(costs: Floats, size: int) -> float:
    """The bits of a number of any size, by the row of its context; about that of large ones."""
    more = 0.0
    while size >= NUM_COSTS:
        size >>= 1
        more += 2.0
    return float(costs[size] + more)


@inlined
def _fill_digits(contexts: Ints, costs: Floats, exponent: int, first: float) -> None:
    for number in range(1 << exponent, 2 << exponent):
        bits, high = first + max(exponent - 2, 0), 0
        for place in range(min(2, exponent)):
            digit = (number >> (exponent - 1 - place)) & 1
            bits += _bit_cost(contexts, digit_context(exponent, place, high), digit)
            high = digit
        costs[number] = bits


@inlined
def _bit_cost(contexts: Ints, context: int, bit: int) -> float:
    zeros = min(max((contexts[context, 0] + contexts[context, 1]) >> 1, 32), TOTAL - 32)
    return float(_BITS[(TOTAL - zeros if bit else zeros) >> 4])
