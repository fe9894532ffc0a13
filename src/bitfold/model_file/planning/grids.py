"""The grid of a tensor: the one that its numbers already lie on, or one for a tolerance."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# A grid is looked for among so many numbers first.
_SAMPLE = 64
# More steps than this from 0 and float32 would make any numbers look like a grid.
_MOST_STEPS = 2**15
# So many counts of steps are tried at a time.
_PARTS = 8
# Errors of two numbers of float32 and their quotient, over the numbers.
_ROUNDING = 2.0**-22


class OnGrid(NamedTuple):
    """A tensor's numbers in steps.

    Attributes:
        numbers: int64 (n,).
        step: float32.
    """

    numbers: NDArray[np.int64]
    step: float


def own_grid(values: NDArray[np.float32]) -> OnGrid | None:
    """The grid that all values lie on exactly, if there is one; each is whole numbers of a step.

    Source: none, ours; every step is tried on a sample, and the longest proved for each value.

    Args:
        values: float32 (n,), finite.

    Returns:
        Numbers times step, rounded once to float32, are the very values; None if no step of at
        least a 2^15th of the largest value does that.

    Example:
        >>> own_grid(np.float32([0.3, -0.6, 1.5])).numbers.tolist()
        [1, -2, 5]
    """
    top = float(np.abs(values).max(initial=0.0))
    if top == 0.0:
        return OnGrid(np.zeros(len(values), np.int64), 1.0)
    used = values[values != 0]
    sample = used[:: max(1, len(used) // _SAMPLE)][:_SAMPLE].astype(np.float64)
    # In how many steps from 0 would the largest lie, so that the sample lies on a grid?
    for counts in np.split(np.arange(1, _MOST_STEPS + 1), _PARTS):
        steps = sample[:, None] / top * counts
        is_near = np.abs(steps - np.rint(steps)) <= counts * _ROUNDING
        found = counts[is_near.all(axis=0)]
        if len(found):
            return _proved(values, top / float(found[0]))
    return None


def _proved(values: NDArray[np.float32], common: float) -> OnGrid | None:
    for step in _candidates(values, common):
        numbers = np.rint(values.astype(np.float64) / step)
        if np.array_equal((numbers * step).astype(np.float32), values):
            return OnGrid(numbers.astype(np.int64), step)
    return None


def grid_for(values: NDArray[np.float32], tolerance: float) -> OnGrid:
    """A grid whose rounding errors are so large a part of the values, both root mean square.

    Source: none, ours; errors that are evenly spread within a step have a root mean square of
    step / sqrt(12).

    Args:
        values: float32 (n,), finite.
        tolerance: > 0.
    """
    exact = values.astype(np.float64)
    rms = math.sqrt(float(np.square(exact).mean())) if len(exact) else 0.0
    step = coarse(rms * tolerance * math.sqrt(12))
    # However coarse, no number has to be further than 2^50 steps from 0.
    step = max(step, coarse(float(np.abs(exact).max(initial=0.0)) * 2.0**-48), 2.0**-120)
    return OnGrid(np.rint(exact / step).astype(np.int64), step)


def coarse(step: float) -> float:
    """A step as it is sent if it need not be another: rounded to a bfloat16."""
    bits = int(np.float32(min(max(step, 2.0**-120), 2.0**120)).view(np.uint32))
    return float(np.uint32((bits + 0x8000) & 0xFFFF0000).view(np.float32))


def _candidates(values: NDArray[np.float32], common: float) -> list[float]:
    """Steps near a common measure: what the largest numbers say, and their neighbours."""
    sizes = np.unique(np.abs(values))[-16:].astype(np.float64)
    counts = np.rint(sizes / common)
    found = np.float32(sizes[counts > 0] / counts[counts > 0])
    below, above = np.nextafter(found, np.float32(0)), np.nextafter(found, np.float32(np.inf))
    around = np.concatenate([found, below, above]).tolist()
    return [step for step in dict.fromkeys(around) if step > 0]
