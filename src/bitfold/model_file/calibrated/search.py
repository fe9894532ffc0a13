"""The place at which a falling function reaches a limit."""

from __future__ import annotations

import math
from collections.abc import Callable

_MOST_TRIED = 14
# A value this close below the limit is close enough.
_CLOSE = 0.995
# Steps in octaves before the limit lies between two places that were tried.
_FIRST_STEP, _LONGEST_STEP = 0.25, 16.0
# Values below this are taken for it.
_LEAST = 1e-300

Tried = tuple[float, float]
"""A place and the value there."""


def first_within(
    value_of: Callable[[float], float], limit: float, start: float, slope: float
) -> float | None:
    """Find about the first place from which on a falling function is at most a limit.

    Places and the logarithms of values are taken to lie on a line between two that were tried.

    Args:
        value_of: positive, and falling but for noise.
        limit: above 0.
        start: a place to begin at.
        slope: about how many octaves the function falls per unit of place, > 0.

    Returns:
        The best place that was tried and is within the limit; None if none was.

    Example:
        >>> round(first_within(lambda place: 100 * 2**-place, 3.0, 0.0, 1.0), 1)
        5.1
    """
    above: Tried | None = None
    below: Tried | None = None
    place = start
    for number in range(_MOST_TRIED):
        value = value_of(place)
        if value <= limit:
            below = (place, value)
            if value >= _CLOSE * limit:
                break
        else:
            above = (place, value)
        if above is None or below is None:
            place += _outwards(value, limit, slope, number)
        elif number % 2:
            # A line through both may miss a function with a floor again and again.
            place = (above[0] + below[0]) / 2
        else:
            place = _between(above, below, limit)
    return None if below is None else below[0]


def _between(above: Tried, below: Tried, limit: float) -> float:
    """Where a line through two places, one on each side, reaches the limit."""
    high, low = math.log2(above[1]), math.log2(max(below[1], _LEAST))
    share = (high - _aim(limit)) / max(high - low, 1e-9)
    return above[0] + min(max(share, 0.05), 0.95) * (below[0] - above[0])


def _outwards(value: float, limit: float, slope: float, number: int) -> float:
    """A step towards the limit and a little beyond; each is at least twice the one before."""
    octaves = (math.log2(max(value, _LEAST)) - _aim(limit)) / slope
    size = min(max(abs(octaves) * 1.1, _FIRST_STEP * 2.0**number), _LONGEST_STEP)
    return size if value > limit else -size


def _aim(limit: float) -> float:
    """The logarithm of what is wanted: a little less than the limit."""
    return math.log2(limit * (1 + _CLOSE) / 2)
