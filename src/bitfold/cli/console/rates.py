"""How fast a count grows, judged by its last seconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_WINDOW_SECONDS = 10.0
# Closer observations are merged, so that a window of fast epochs stays short.
_SPACING_SECONDS = 0.05


class RecentRate:
    """The rate of a growing count over the last ten seconds, or over the last two observations.

    The time before the first observation does not count: a first epoch takes longer, because its
    loops are compiled in it.

    Args:
        clock: returns the time in seconds.

    Example:
        >>> times = iter([60.0, 60.5, 61.0])
        >>> rate = RecentRate(clock=lambda: next(times))
        >>> [rate.observe(count) for count in (1, 2, 3)]
        [None, 2.0, 2.0]
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._observed: deque[tuple[float, int]] = deque()

    def observe(self, count: int) -> float | None:
        """Note the count of this moment, and return the rate per second; None if it is unknown."""
        now, observed = self._clock(), self._observed
        if len(observed) > 1 and now - observed[-2][0] < _SPACING_SECONDS:
            observed.pop()
        observed.append((now, count))
        while len(observed) > 2 and observed[1][0] <= now - _WINDOW_SECONDS:
            observed.popleft()
        (first, before), (last, after) = observed[0], observed[-1]
        return (after - before) / (last - first) if last > first else None
