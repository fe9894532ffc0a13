"""Compiled loops over the windows of a maximum. Importing this module imports Numba."""

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.cutting.loops.arrays import Doubles
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Longs = NDArray[np.int64]

Tournament = tuple[Longs, float, Longs]
"""Windows (windows, places), as `windows.Choice` has them; 1, or -1 where the smallest wins; of one
round each comparison (n, 3), of the winner of places [a, b) with that of [b, c)."""


@inlined
def _over(row: Doubles, window: Longs, sign: float, places: Longs) -> float:
    """By how much the later of two winners is larger."""
    first, second = -np.inf, -np.inf
    for place in range(places[0], places[1]):
        first = max(first, sign * row[window[place]])
    for place in range(places[1], places[2]):
        second = max(second, sign * row[window[place]])
    return second - first


@compiled
def contested(values: Doubles, tournament: Tournament, slack: Doubles) -> Longs:
    """Which comparisons of a round either side wins somewhere.

    Source: none, ours.

    Args:
        values: (vertices, elements).
        tournament: see `Tournament`.
        slack: (windows,), by how much the later winner must be larger.

    Returns:
        Their windows and numbers, int64 (n, 2).
    """
    windows, sign, comparisons = tournament
    low = np.full((len(windows), len(comparisons)), np.inf)
    high = np.full((len(windows), len(comparisons)), -np.inf)
    for vertex in range(len(values)):
        for window in range(len(windows)):
            for number in range(len(comparisons)):
                over = _over(values[vertex], windows[window], sign, comparisons[number])
                low[window, number] = min(low[window, number], over)
                high[window, number] = max(high[window, number], over)
    found, count = np.empty((low.size, 2), np.int64), 0
    for window in range(len(windows)):
        for number in range(len(comparisons)):
            if low[window, number] <= slack[window] < high[window, number]:
                found[count, 0], found[count, 1] = window, number
                count += 1
    return found[:count].copy()


@compiled
def compare(values: Doubles, tournament: Tournament, asked: Longs) -> Doubles:
    """Later less earlier winner of some comparisons.

    Source: none, ours.

    Args:
        values: (vertices, elements).
        tournament: see `Tournament`.
        asked: (n, 2), windows and numbers of comparisons.

    Returns:
        (vertices, n).
    """
    windows, sign, comparisons = tournament
    found = np.empty((len(values), len(asked)))
    for vertex in range(len(values)):
        for at in range(len(asked)):
            window, number = asked[at, 0], asked[at, 1]
            found[vertex, at] = _over(values[vertex], windows[window], sign, comparisons[number])
    return found
