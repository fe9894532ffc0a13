"""Compiled loops over windows of which the largest element wins. Importing this imports Numba."""

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.cutting.loops.arrays import Doubles
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Longs = NDArray[np.int64]

Tournament = tuple[Longs, float, Longs]
"""Windows (windows, places), as in `choices.Choice`; 1, or -1 where the smallest wins; the
comparisons of one round (n, 3): of the winner of places [a, b) with that of places [b, c)."""


@inlined
def _over(row: Doubles, window: Longs, sign: float, places: Longs) -> float:
    """Return the later of two winners less the earlier one."""
    first, second = -np.inf, -np.inf
    for place in range(places[0], places[1]):
        first = max(first, sign * row[window[place]])
    for place in range(places[1], places[2]):
        second = max(second, sign * row[window[place]])
    return second - first


@compiled
def contested(values: Doubles, tournament: Tournament, slack: Doubles) -> Longs:
    """Find the comparisons of a round that each side wins at some vertex.

    Args:
        values: (vertices, elements).
        tournament: see `Tournament`.
        slack: (windows,), the difference by which the later winner must be larger.

    Returns:
        The windows and numbers of these comparisons, int64 (n, 2).
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
    """Return the later winner less the earlier one for some comparisons.

    Args:
        values: (vertices, elements).
        tournament: see `Tournament`.
        asked: (n, 2), the windows and numbers of the comparisons.

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
