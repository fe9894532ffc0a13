"""A compiled search for the longest step of a grid. Importing this module imports Numba."""

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Floats = NDArray[np.float64]

# A quarter of the numbers rules out most steps.
_FIRST = 4


@compiled(error_model="numpy")
def least_count(places: Floats, most: int, error: float, share: float) -> int:
    """The least count of steps in a length with which most numbers lie on the grid.

    Args:
        places: the numbers over the length, (n,), at least one.
        most: the largest count to try.
        error: the largest distance from a whole number of steps, over the count.
        share: of the numbers that have to lie on the grid, also of every fourth one alone.

    Returns:
        The count, or 0 if there is none.
    """
    places = borrowed(places)
    for count in range(1, most + 1):
        if _fits(places, _FIRST, count, error, share) and _fits(places, 1, count, error, share):
            return count
    return 0


@inlined
def _fits(places: Floats, stride: int, count: int, error: float, share: float) -> bool:
    """Whether enough of every stride-th number are near a whole number of steps."""
    num_tried = (len(places) + stride - 1) // stride
    num_near = num_tried
    for k in range(0, len(places), stride):
        steps = places[k] * count
        if not abs(steps - np.rint(steps)) <= count * error:
            num_near -= 1
            if not num_near / num_tried >= share:
                return False
    return True
