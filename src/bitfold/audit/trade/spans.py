"""Means over spans of 1, 2, 4, ... updates, in memory that does not grow with a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from bitfold.errors import AuditError

# Of each length the latest 112 spans are kept: two halves of 32 that are compared (enough for a
# test at five standard errors), 32 spans before them and 16 after.
HALF = 32
BEFORE, AFTER = 32, 16
NUM_SPANS = BEFORE + 2 * HALF + AFTER
# The longest span then covers 2^23 updates, and all 112 of them almost a billion.
MAX_LEVELS = 24
_NUMBERS_IN_SPAN = 3


class SpanMean(NamedTuple):
    """The mean of both terms over a span of consecutive updates.

    Args:
        first_update: number of the span's first update.
        task: mean task loss.
        paid: mean of the weighted K, see `WeightedPath`.
    """

    first_update: float
    task: float
    paid: float


class SpanHistory:
    """Keeps the latest 112 spans of each length of 1, 2, 4, ... updates.

    It works like a binary counter: adding an update costs two merged spans on average.

    Example:
        >>> windows = SpanHistory()
        >>> for update in range(1, 227):
        ...     touched = windows.add(SpanMean(float(update), 1.0, 0.0))
        >>> windows.num_updates, touched
        (226, [0, 1])
        >>> window = windows.window(1)
        >>> len(window), window[0].first_update
        (112, 3.0)
    """

    def __init__(self) -> None:
        self.num_updates = 0
        self._levels: list[deque[SpanMean]] = []

    def add(self, span: SpanMean) -> list[int]:
        """Add an update and return the levels that got a new span, shortest spans first.

        Args:
            span: of one update.

        Returns:
            Each level l at which a span of 2^l updates was completed.
        """
        touched = []
        self.num_updates += 1
        for level in range(MAX_LEVELS):
            if level == len(self._levels):
                self._levels.append(deque(maxlen=NUM_SPANS))
            spans = self._levels[level]
            spans.append(span)
            touched.append(level)
            if self.num_spans(level) % 2:
                break
            span = _merged(spans[-2], spans[-1])
        return touched

    def num_spans(self, level: int) -> int:
        """Return how many spans of a level were completed so far."""
        return self.num_updates >> level

    def window(self, level: int) -> list[SpanMean]:
        """Return the latest spans of a level, oldest first, at most 112."""
        return list(self._levels[level])

    def numbers(self) -> list[float]:
        """Return the whole state as numbers: the count, then each level's spans."""
        spans = (number for level in self._levels for span in level for number in span)
        return [float(self.num_updates), *spans]

    def restore(self, numbers: Sequence[float]) -> None:
        """Continue from the state that `numbers` returned.

        Raises:
            AuditError: the number of numbers does not fit the count of updates.
        """
        num_updates = int(numbers[0])
        levels = range(min(num_updates.bit_length(), MAX_LEVELS))
        sizes = [min(num_updates >> level, NUM_SPANS) for level in levels]
        expected = 1 + _NUMBERS_IN_SPAN * sum(sizes)
        if len(numbers) != expected:
            raise AuditError(
                f"Cannot restore a trade monitor: expected {expected} numbers for {num_updates} "
                f"updates, got {len(numbers)}. Give what history() returned, whole."
            )
        rest = iter(numbers[1:])
        spans = map(SpanMean._make, zip(rest, rest, rest, strict=True))
        self.num_updates = num_updates
        self._levels = [
            deque((next(spans) for _ in range(size)), maxlen=NUM_SPANS) for size in sizes
        ]


class WeightedPath:
    """Integrates the weight over changes of K, so that a change of the weight alone costs nothing.

    Along a gradient flow on task + w(t) K with a changing weight, d task + w(t) dK never rises,
    but task + w(t) K may. This class integrates w dK by the trapezoid rule, as w K plus an offset
    that moves only when the weight changes. With a constant weight the integral equals w K.

    Example:
        >>> path = WeightedPath()
        >>> [path.step(4.0, 0.5), path.step(4.0, 1.0), path.step(5.0, 1.0)]
        [2.0, 2.0, 3.0]
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._offset = self._last_k = self._last_weight = 0.0

    def step(self, k: float, weight: float) -> float:
        """Add the next K and weight, and return the integral so far."""
        if self._has_begun:
            self._offset -= (weight - self._last_weight) * (k + self._last_k) / 2
        self._has_begun, self._last_k, self._last_weight = True, k, weight
        return weight * k + self._offset

    def numbers(self) -> list[float]:
        """Return the whole state as 4 numbers."""
        return [float(self._has_begun), self._offset, self._last_k, self._last_weight]

    def restore(self, numbers: Sequence[float]) -> None:
        """Continue from the state that `numbers` returned."""
        has_begun, self._offset, self._last_k, self._last_weight = numbers
        self._has_begun = bool(has_begun)


def _merged(older: SpanMean, newer: SpanMean) -> SpanMean:
    return SpanMean(
        older.first_update, (older.task + newer.task) / 2, (older.paid + newer.paid) / 2
    )
