"""Watching the search for polytopes: how far it is, and when it has to end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from bitfold.errors import PolytopeError

# The time left is estimated from this many operations before.
_RECENT = 8


@dataclass(frozen=True)
class SearchProgress:
    """How far a search for polytopes is.

    Args:
        num_done: the operations of the network that were followed.
        num_operations: all that will be.
        num_polytopes: those found so far; each layer cuts them further.
        seconds: since the search began.
        seconds_left: an estimate, by the median of the last operations; None before the second. It
            is too low while the number of polytopes grows. A mean would be far too high after the
            first folds of a convolution, which take longer than all that follows.
    """

    num_done: int
    num_operations: int
    num_polytopes: int
    seconds: float
    seconds_left: float | None


ProgressHook = Callable[[SearchProgress], None]


class SearchWatch:
    """Reports progress after each operation, and ends a search that takes too long.

    Args:
        report: called after each operation; or None.
        max_seconds: the limit, which is checked between operations; None for none.
    """

    def __init__(self, report: ProgressHook | None, max_seconds: float | None) -> None:
        if max_seconds is not None and not max_seconds > 0:
            raise PolytopeError(
                f"Cannot find polytopes: expected max_seconds above 0, got {max_seconds}. Leave it "
                "out for no limit."
            )
        self._report, self._limit = report, max_seconds
        self._started = time.monotonic()
        self._times = [self._started]

    def has_done(self, num_done: int, num_operations: int, num_polytopes: int) -> None:
        """Report that an operation was followed.

        Raises:
            PolytopeError: more time has passed than is allowed, and operations are left.
        """
        now = time.monotonic()
        self._times = [*self._times[-_RECENT:], now]
        lengths = [end - start for start, end in pairwise(self._times)]
        left = (num_operations - num_done) * median(lengths)
        seconds = now - self._started
        if self._report is not None:
            estimate = left if num_done > 1 else None
            self._report(SearchProgress(num_done, num_operations, num_polytopes, seconds, estimate))
        if self._limit is not None and seconds > self._limit and num_done < num_operations:
            raise PolytopeError(
                f"Cannot find all polytopes: expected at most {self._limit:g} seconds, got "
                f"{seconds:.1f} after {num_done} of {num_operations} operations and "
                f"{num_polytopes:,} polytopes; the rest takes at least {left:.0f} more. Choose a "
                "smaller domain, an earlier `until_layer`, or more time."
            )
