"""The grid of a tensor: the grid on which its numbers lie already, or one for a tolerance."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitfold.model_file.planning.step_search import least_count
from bitfold.model_file.syntax.plan import NO_EXCEPTIONS, Exceptions

# The search for a grid begins with this many of the numbers.
_SAMPLE = 64
# With more steps than this from 0, the rounding of float32 makes any numbers look like a grid.
_MOST_STEPS = 2**15
# The relative error of a quotient of two numbers in float32.
_ROUNDING = 2.0**-22
# The least bfloat16 above 0.
_LEAST_STEP = 2.0**-133


class OnGrid(NamedTuple):
    """A tensor's numbers in steps.

    Attributes:
        numbers: int64 (n,).
        step: float32, or float64 if a file of version 2 has to hold it.
        offset: of the value that the number 0 stands for.
        exceptions: numbers that are off the grid.
        on_trellis: whether the numbers lie on a trellis, on which they are twice as dense.
    """

    numbers: NDArray[np.int64]
    step: float
    offset: float = 0.0
    exceptions: Exceptions = NO_EXCEPTIONS
    on_trellis: bool = False


def own_grid(values: NDArray[np.float32]) -> OnGrid | None:
    """Find the grid on which all values lie exactly, if there is one.

    Every step is tried on a sample, and the longest step that fits is checked for each value.

    Args:
        values: float32 (n,), finite.

    Returns:
        Whole numbers and a step; their products, rounded once to float32, equal the values. None if
        no step of at least a 2^15th of the largest value has this property.

    Example:
        >>> own_grid(np.float32([0.3, -0.6, 1.5])).numbers.tolist()
        [1, -2, 5]
    """
    top = float(np.abs(values).max(initial=0.0))
    if top == 0.0:
        return OnGrid(np.zeros(len(values), np.int64), 1.0)
    used = values[values != 0]
    sample = used[:: max(1, len(used) // _SAMPLE)][:_SAMPLE].astype(np.float64)
    # Let the largest value lie this many steps from 0: does the sample lie on that grid?
    count = least_count(sample / top, _MOST_STEPS, _ROUNDING, 1.0)
    return _proved(values, top / count) if count else None


def _proved(values: NDArray[np.float32], common: float) -> OnGrid | None:
    for step in _candidates(values, common):
        numbers = np.rint(values.astype(np.float64) / step)
        if np.array_equal((numbers * step).astype(np.float32), values):
            return OnGrid(numbers.astype(np.int64), step)
    return None


def grid_for(values: NDArray[np.float32], tolerance: float) -> OnGrid:
    """Round values to a grid with a given relative rounding error.

    Errors that are evenly spread within a step have a root mean square of step / sqrt(12).

    Args:
        values: float32 (n,), finite.
        tolerance: root mean square of rounding errors over that of values, > 0.
    """
    exact = values.astype(np.float64)
    rms = math.sqrt(float(np.square(exact).mean())) if len(exact) else 0.0
    step = coarse(rms * tolerance * math.sqrt(12))
    # No number may be further than 2^50 steps from 0.
    step = max(step, coarse(float(np.abs(exact).max(initial=0.0)) * 2.0**-48))
    return OnGrid(np.rint(exact / step).astype(np.int64), step)


def coarse(step: float) -> float:
    """Round a step to a bfloat16, which takes 16 bits in a file."""
    bits = int(np.float32(min(max(step, _LEAST_STEP), 2.0**120)).view(np.uint32))
    return float(np.uint32((bits + 0x8000) & 0xFFFF0000).view(np.float32))


def _candidates(values: NDArray[np.float32], common: float) -> list[float]:
    """Steps near a common one: quotients of the largest values, and their neighbours in float32."""
    sizes = np.unique(np.abs(values))[-16:].astype(np.float64)
    counts = np.rint(sizes / common)
    found = np.float32(sizes[counts > 0] / counts[counts > 0])
    below, above = np.nextafter(found, np.float32(0)), np.nextafter(found, np.float32(np.inf))
    around = np.concatenate([found, below, above]).tolist()
    return [step for step in dict.fromkeys(around) if step > 0]
