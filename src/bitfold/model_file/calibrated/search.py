"""The place at which a falling function reaches a limit."""

from __future__ import annotations

import math
from collections.abc import Callable

_MOST_TRIED = 14
# A value this close below the limit is close enough.
_CLOSE = 0.995
# Steps in octaves before the limit lies between two places that were tried.
_FIRST_STEP, _LONGEST_STEP = 0.25, 16.0
# Places that a guess leads to, how far from the one before they are sought, and how exactly.
_MOST_GUIDED, _FARTHEST, _HALVINGS = 6, 64.0, 15
# Guesses that differ by less, in octaves, do not tell the power; and its bounds.
_LEAST_MOVE, _POWERS = 1e-3, (0.3, 4.0)
# A value that stays the same over so many octaves on one side of the limit stays so for good.
_FLAT = 48.0
# Values below this are taken for it.
_LEAST = 1e-300

Tried = tuple[float, float]
"""A place and the value there."""


def first_within(
    value_of: Callable[[float], float],
    limit: float,
    start: float,
    slope: float,
    *,
    guess_of: Callable[[float], float] | None = None,
) -> float | None:
    """Find about the first place from which on a falling function is at most a limit.

    Places and the logarithms of values are taken to lie on a line between two that were tried.

    Args:
        value_of: positive, and falling but for noise.
        limit: above 0.
        start: a place to begin at.
        slope: about how many octaves the function falls per unit of place, > 0.
        guess_of: positive and falling; about a power of the function near the limit, at first
            about the function itself. It leads to the places that are tried first.

    Returns:
        The best place that was tried and is within the limit; None if none was.

    Example:
        >>> round(first_within(lambda place: 100 * 2**-place, 3.0, 0.0, 1.0), 1)
        5.1
    """
    above: Tried | None = None
    below: Tried | None = None
    flat: Tried | None = None
    # A guess of nothing at all leads nowhere.
    guided = _Guided(guess_of, limit) if guess_of and guess_of(start - _FARTHEST) > 0 else None
    place = start if guided is None else guided.first(start)
    for number in range(_MOST_TRIED):
        value = value_of(place)
        if value <= limit:
            below = (place, value)
            if value >= _CLOSE * limit:
                break
        else:
            above = (place, value)
        if flat is None or flat[1] != value:
            flat = (place, value)
        elif abs(place - flat[0]) >= _FLAT and (above is None or below is None):
            break
        proposed = None if guided is None or number > _MOST_GUIDED else guided.next(place, value)
        if proposed is not None and _is_between(above, proposed, below):
            place = proposed
        elif above is None or below is None:
            place += _outwards(value, limit, slope, number)
        elif number % 2:
            # A line through both may miss a function with a floor again and again.
            place = (above[0] + below[0]) / 2
        else:
            place = _between(above, below, limit)
    return None if below is None else below[0]


class _Guided:
    """Finds places by a guess of which the function is about a power.

    Args:
        guess_of: positive and falling.
        limit: of the function.
    """

    def __init__(self, guess_of: Callable[[float], float], limit: float) -> None:
        self._guess_of, self._aim = guess_of, _aim(limit)
        self._last: tuple[float, float] | None = None
        self._power = 1.0

    def first(self, start: float) -> float:
        """Where the guess itself reaches the limit, within 64 octaves of a place."""
        return self._place_of(self._aim, start)

    def next(self, place: float, value: float) -> float:
        """Where the function should reach the limit, after it has been tried at a place."""
        now = self._log_guess(place), math.log2(max(value, _LEAST))
        if self._last is not None and abs(now[0] - self._last[0]) > _LEAST_MOVE:
            power = (now[1] - self._last[1]) / (now[0] - self._last[0])
            self._power = min(max(power, _POWERS[0]), _POWERS[1])
        self._last = now
        return self._place_of(now[0] + (self._aim - now[1]) / self._power, place)

    def _log_guess(self, place: float) -> float:
        return math.log2(max(self._guess_of(place), _LEAST))

    def _place_of(self, wanted: float, start: float) -> float:
        low, high = start - _FARTHEST, start + _FARTHEST
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self._log_guess(middle) > wanted:
                low = middle
            else:
                high = middle
        return high


def _is_between(above: Tried | None, place: float, below: Tried | None) -> bool:
    return (above is None or above[0] < place) and (below is None or place < below[0])


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
