"""The place at which a falling function reaches a limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

_MOST_TRIED = 14
# A value this close below the limit is close enough, and one this close after some places.
_CLOSE, _CLOSE_LATER, _LATER = 0.99, 0.985, 3
# Steps in octaves before the limit lies between two places that were tried; how far beyond it they
# lead, and how many times longer than the step before they are where that one changed nothing.
_FIRST_STEP, _LONGEST_STEP, _BEYOND, _GROWTH = 0.01, 16.0, 1.05, 4.0
# How fast the function may fall, in octaves per octave, to be told by two places.
_LEAST_SLOPE, _MOST_SLOPE = 0.05, 4.0
# How far from the start a guess is sought, and how exactly; and how many times further than a usual
# slope leads it may lead.
_FARTHEST, _HALVINGS, _MOST_GUIDED = 64.0, 15, 2.0
# A function with a floor or a jump misleads lines: the middle is tried where so many places around
# the limit have not halved what lies between.
_SLOW = 2
# Next to an end of what is left, as a share of it, little is learned.
_EDGE = 0.05
# A value that stays the same over so many octaves on one side of the limit stays so for good.
_FLAT = 48.0
# Values below this are taken for it.
_LEAST = 1e-300

Tried = tuple[float, float]
"""A place, and the logarithm of the value there."""


def first_within(
    value_of: Callable[[float], float],
    limit: float,
    start: float,
    slope: float,
    *,
    guess_of: Callable[[float], float] | None = None,
) -> float | None:
    """Find about the first place from which on a falling function is at most a limit.

    Places and the logarithms of values are taken to lie on a line or a parabola.

    Args:
        value_of: positive, and falling but for noise.
        limit: above 0.
        start: a place to begin at.
        slope: about how many octaves the function falls per unit of place, > 0.
        guess_of: positive and falling; about the function. It leads to the first two places.

    Returns:
        The last place that was tried and is within the limit: the first one, about, but where the
        function jumps; None if none was.

    Example:
        >>> round(first_within(lambda place: 100 * 2**-place, 3.0, 0.0, 1.0), 1)
        5.1
    """
    tried, widths, aim = list[Tried](), list[float](), _aim(limit)
    above: Tried | None = None
    below: Tried | None = None
    flat: Tried | None = None
    # A guess of nothing at all leads nowhere.
    guess = guess_of if guess_of and guess_of(start - _FARTHEST) > 0 else None
    place = start if guess is None else _guessed(guess, aim, start)
    for number in range(_MOST_TRIED):
        value = value_of(place)
        tried.append((place, _log(value)))
        if value <= limit:
            below = tried[-1]
            if value >= (_CLOSE if number < _LATER else _CLOSE_LATER) * limit:
                break
        else:
            above = tried[-1]
        if flat is None or flat[1] != value:
            flat = (place, value)
        elif abs(place - flat[0]) >= _FLAT and (above is None or below is None):
            break
        if above is not None and below is not None:
            widths.append(below[0] - above[0])
            is_slow = len(widths) > _SLOW and widths[-1] > widths[-1 - _SLOW] / 2
            place = (above[0] + below[0]) / 2 if is_slow else _between(above, below, tried, aim)
        elif guess is not None and number == 0:
            # A guess that jumps here leads nowhere else, where nothing new would be seen.
            place += _guided(guess, tried[0], aim, slope) or _outwards(tried, aim, slope)
        else:
            place += _outwards(tried, aim, slope)
    return None if below is None else below[0]


def _guided(guess: Callable[[float], float], first: Tried, aim: float, slope: float) -> float:
    """How far to go from the first place, by a guess which was wrong by a factor there."""
    place, value = first
    wanted = _guessed(guess, _log(guess(place)) + aim - value, place) - place
    most = _MOST_GUIDED * abs(value - aim) / slope
    return min(max(wanted, -most), most)


def _guessed(guess: Callable[[float], float], wanted: float, start: float) -> float:
    """Where the logarithm of a guess is a number, within 64 octaves of a place."""
    low, high = start - _FARTHEST, start + _FARTHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _log(guess(middle)) > wanted:
            low = middle
        else:
            high = middle
    return high


def _between(above: Tried, below: Tried, tried: Sequence[Tried], aim: float) -> float:
    """Where a parabola through three places, or a line through two, reaches the limit."""
    width = below[0] - above[0]
    share = (above[1] - aim) / max(above[1] - below[1], 1e-9)
    line = above[0] + min(max(share, _EDGE), 1 - _EDGE) * width
    others = [one for one in tried if one not in (above, below)]
    if not others:
        return line
    first, second, third = sorted([above, below, min(others, key=lambda one: abs(one[1] - aim))])
    if not first[1] > second[1] > third[1]:
        return line
    found = _parabola(first, second, third, aim)
    is_within = _EDGE < (found - above[0]) / width < 1 - _EDGE
    return found if is_within else line


def _parabola(first: Tried, second: Tried, third: Tried, aim: float) -> float:
    """The place of a value, if the place is a quadratic function of it."""
    total = 0.0
    for (place, value), (_, one), (_, other) in (
        (first, second, third),
        (second, third, first),
        (third, first, second),
    ):
        total += place * (aim - one) * (aim - other) / ((value - one) * (value - other))
    return total


def _outwards(tried: Sequence[Tried], aim: float, slope: float) -> float:
    """A step towards the limit and a little beyond; a longer one where the function is flat."""
    place, value = tried[-1]
    least = _FIRST_STEP * 2.0 ** len(tried)
    if len(tried) > 1:
        other, before = tried[-2]
        fall = (before - value) / (place - other) if place != other else 0.0
        if fall > 0:
            slope = min(max(fall, _LEAST_SLOPE), _MOST_SLOPE)
        else:
            least = max(least, _GROWTH * abs(place - other))
    size = min(max(abs(value - aim) / slope * _BEYOND, least), _LONGEST_STEP)
    return size if value > aim else -size


def _log(value: float) -> float:
    return math.log2(max(value, _LEAST))


def _aim(limit: float) -> float:
    """The logarithm of what is wanted: a little less than the limit."""
    return math.log2(limit * (1 + _CLOSE) / 2)
