"""The states of a trellis, and the numbers that each allows. Importing this module imports Numba.

Two quantisers share the values of a tensor: the even quantiser has the even numbers, the odd
quantiser 0 and the odd ones. Each number is coded as its place among those of one quantiser, and
whether that place is even leads to the state that tells the next number's quantiser. So each number
costs about as much as on a grid of twice the step, and whoever rounds chooses among paths.

Source: Marcellin & Fischer 1990 (trellis coded quantisation); the states are those of
ISO/IEC 15938-17.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]

NUM_STATES: Final = 8
#: The state after each state, by whether the place of the number between them is odd.
NEXT: Final = np.array([[0, 2], [7, 5], [1, 3], [6, 4], [2, 0], [5, 7], [3, 1], [4, 6]])


@inlined
def quantiser_of(state: int) -> int:
    """0 for the even quantiser, 1 for the odd one."""
    return state & 1


@inlined
def place_of(number: int, quantiser: int) -> int:
    """The place of a number of a quantiser; 0 has the place 0."""
    place = (abs(number) + quantiser) >> 1
    return -place if number < 0 else place


@inlined
def number_at(place: int, quantiser: int) -> int:
    """The number at a place of a quantiser."""
    if place == 0:
        return 0
    return 2 * place - quantiser if place > 0 else 2 * place + quantiser
