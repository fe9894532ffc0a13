"""Has the combined loss risen from one half of a window to the other, beyond the window's noise?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

from bitfold.audit.trade.spans import AFTER, BEFORE, HALF, SpanMean

# Means leave out the eighth of the spans with the lowest combined loss and the eighth with the
# highest, so that a spike of a few updates neither makes a rise nor hides one.
_TRIMMED_SHARE = 8
# A rise is a jump, not a drift, if more than this share of it happens within a sixteenth of both
# halves. A steady drift rises by an eighth of the whole in such a stretch, a step by all of it.
_LARGEST_JUMP = 0.75
_STRETCH = HALF // 8
# A jump must exceed the noise of its two stretches by this many standard errors.
_JUMP_ERRORS = 3.0
# Median difference of neighbours in Gaussian noise of deviation 1: normal quartile times root 2.
_MEDIAN_DIFFERENCE = 0.6745 * math.sqrt(2)
# A rise was an excursion if less than this share of it is left soon after.
_LEAST_LEFT = 0.5
# Windows of one length that are tested at the requested threshold; later ones at a higher one.
_FREE_WINDOWS = 64


@dataclass(frozen=True)
class Comparison:
    """Changes of trimmed means from the first half of a window to the second.

    Args:
        task: change of the task loss.
        paid: change of the weighted K.
        error: standard error of the change of their sum, assuming that spans are independent.
    """

    task: float
    paid: float
    error: float

    @property
    def rise(self) -> float:
        """Return the change of the combined loss."""
        return self.task + self.paid

    def is_trade(self, num_errors: float, smallest: float) -> bool:
        """Whether one term fell, the other rose by more, and noise does not explain the rise.

        Args:
            num_errors: standard errors by which the combined loss must have risen.
            smallest: smaller rises are ignored.
        """
        opposed = min(self.task, self.paid) < 0 < max(self.task, self.paid)
        return opposed and self.rise > max(num_errors * self.error, smallest)


@dataclass(frozen=True)
class _Level:
    """Trimmed means over some spans, and the winsorised variance of the combined mean."""

    task: float
    paid: float
    variance: float

    @property
    def combined(self) -> float:
        return self.task + self.paid


@dataclass(frozen=True)
class Window:
    """The 112 spans of one length that one test compares, oldest first.

    Args:
        before: 32 spans.
        older: 32 spans, the first of the two halves that are compared.
        newer: 32 spans, the second half.
        after: 16 spans.
    """

    before: Sequence[SpanMean]
    older: Sequence[SpanMean]
    newer: Sequence[SpanMean]
    after: Sequence[SpanMean]

    @classmethod
    def of(cls, spans: Sequence[SpanMean]) -> Window:
        """Divide 112 spans."""
        middle = BEFORE + HALF
        parts = spans[:BEFORE], spans[BEFORE:middle], spans[middle:-AFTER], spans[-AFTER:]
        return cls(*parts)

    def compare(self) -> Comparison:
        """Compare both halves by their trimmed means.

        Source: K. K. Yuen, 1974, "The two-sample trimmed t for unequal population variances",
        Biometrika 61: means of the spans left after trimming, errors from winsorised variances.
        Blocks are ordered by their combined loss, and both terms are averaged over the same spans.

        Example:
            >>> low = [SpanMean(i, 0.5, 1.0 + 0.01 * (i % 2)) for i in range(64)]
            >>> high = [SpanMean(i, 0.4, 1.3 + 0.01 * (i % 2)) for i in range(48)]
            >>> found = Window.of(low + high).compare()
            >>> round(found.task, 6), round(found.paid, 6), found.is_trade(5.0, smallest=0.0)
            (-0.1, 0.3, True)
        """
        older, newer = _level(self.older), _level(self.newer)
        error = math.sqrt(older.variance + newer.variance)
        return Comparison(newer.task - older.task, newer.paid - older.paid, error)

    def is_jump(self, change: Comparison) -> bool:
        """Whether a rise happened almost at once, as when training slips or the data change.

        A term without a gradient drifts; it does not jump. At each position within both halves,
        the mean of the next 4 spans is compared with the mean of the 4 spans before.

        Args:
            change: the result of `compare`.

        Example:
            >>> step = Window.of([SpanMean(i, 0.5, float(i >= 64)) for i in range(112)])
            >>> slope = Window.of([SpanMean(i, 0.5, i / 112) for i in range(112)])
            >>> [window.is_jump(window.compare()) for window in (step, slope)]
            [True, False]
        """
        combined = [span.task + span.paid for span in (*self.older, *self.newer)]
        sums = list(accumulate(combined, initial=0.0))
        largest = max(
            sums[middle + _STRETCH] - 2 * sums[middle] + sums[middle - _STRETCH]
            for middle in range(_STRETCH, 2 * HALF - _STRETCH + 1)
        )
        # Differences of neighbours: a jump affects only one of them, and a drift hardly any.
        deviation = median(abs(b - a) for a, b in pairwise(combined)) / _MEDIAN_DIFFERENCE
        error = deviation * math.sqrt(2 / _STRETCH)
        return largest / _STRETCH > _LARGEST_JUMP * change.rise + _JUMP_ERRORS * error

    def is_excursion(self, change: Comparison) -> bool:
        """Whether the combined loss was as high just before, or fell again soon after.

        If an optimiser oscillates about a minimum, or slips and recovers, the combined loss rises
        and falls in turn.

        Args:
            change: the result of `compare`.

        Example:
            >>> wave = [SpanMean(i, 0.5, float(i % 64 >= 32)) for i in range(112)]
            >>> slope = [SpanMean(i, 0.5, i / 112) for i in range(112)]
            >>> [Window.of(each).is_excursion(Window.of(each).compare()) for each in (wave, slope)]
            [True, False]
        """
        low = _level(self.older).combined
        was_there = _level(self.before).combined >= low + change.rise
        is_undone = _level(self.after).combined <= low + _LEAST_LEFT * change.rise
        return was_there or is_undone


def _level(spans: Sequence[SpanMean]) -> _Level:
    ordered = sorted(spans, key=lambda span: span.task + span.paid)
    num_trimmed = len(ordered) // _TRIMMED_SHARE
    kept = ordered[num_trimmed:-num_trimmed]
    task, paid = sum(span.task for span in kept), sum(span.paid for span in kept)
    combined = [span.task + span.paid for span in kept]
    winsorised = [combined[0]] * num_trimmed + combined + [combined[-1]] * num_trimmed
    mean = sum(winsorised) / len(ordered)
    squares = sum((value - mean) * (value - mean) for value in winsorised)
    num_kept = len(kept)
    return _Level(task / num_kept, paid / num_kept, squares / (num_kept * (num_kept - 1)))


def error_factor(span_updates: int, correlated_updates: float) -> float:
    """The factor by which the error of means is too small if spans are taken as independent.

    Source: the variance of a mean of a first-order autoregression; any textbook on time series. If
    neighbouring updates correlate by r, c = (1 + r) / (1 - r) of them count as one independent
    update. The variance of a mean of b updates, relative to that of one, is
    [c - 2 r (1 - r^b) / (b (1 - r)^2)] / b, and c / b for long spans. A test on short spans must
    allow for the root of the ratio of both.

    Args:
        span_updates: b, at least 1.
        correlated_updates: c, at least 1.

    Returns:
        At least 1; close to 1 for long spans.

    Example:
        >>> [round(error_factor(b, 9.0), 2) for b in (1, 4, 16, 64)]
        [3.0, 1.7, 1.17, 1.04]
    """
    c = correlated_updates
    r = (c - 1) / (c + 1)
    within = 2 * r * (1 - r**span_updates) / (span_updates * (1 - r) * (1 - r))
    return math.sqrt(c / (c - within))


def errors_needed(num_errors: float, num_spans: int) -> float:
    """The standard errors that a rise needs, after ``num_spans`` spans of its length.

    Source: alpha spending, K. K. G. Lan and D. L. DeMets, 1983, Biometrika 70. A Gaussian exceeds z
    errors with a probability proportional to exp(-z^2 / 2). The j-th window may spend (64 / j)^2 of
    the probability that each of the first 64 windows spends, so z^2 grows by 4 ln(j / 64). All
    windows of one length together then spend no more than 128 of the first ones.

    Args:
        num_errors: standard errors required in the first 64 windows.
        num_spans: spans completed so far; two halves of 32 make a window.

    Example:
        >>> [round(errors_needed(5.0, 64 * windows), 2) for windows in (1, 64, 1000)]
        [5.0, 5.0, 6.0]
    """
    windows = num_spans / (2 * HALF)
    return math.sqrt(num_errors * num_errors + 4 * math.log(max(1.0, windows / _FREE_WINDOWS)))
