"""Watches task loss and K in training, and reports when one rises by more than the other falls.

The monitor differentiates nothing: it gets three numbers for each update of any training loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bitfold.audit.trade.comparison import Window, error_factor, errors_needed
from bitfold.audit.trade.spans import (
    HALF,
    MAX_LEVELS,
    NUM_SPANS,
    SpanHistory,
    SpanMean,
    WeightedPath,
)
from bitfold.errors import AuditError

# A length is tested each time a quarter of a half is new, so that hardly any rise is missed.
_SPANS_BETWEEN_TESTS = HALF // 4
# Over a million updates even the slightest drift exceeds the noise. A rise below this share of the
# sum of both terms does not matter.
SMALLEST_SHARE = 1e-4
_LARGEST_SETTING = 1e6
# Squares of sums of larger numbers would overflow.
_LARGEST = 1e100


class Scalar(Protocol):
    """A tensor or array of one number."""

    def item(self) -> float:
        """Return the number."""
        ...


@dataclass(frozen=True)
class Trade:
    """A stretch of training in which one weighted term rose by more than the other fell.

    `docs/trade-monitor.md` derives the test.

    Args:
        payer: the term that rose, ``"K"`` or ``"task"``. Its gradient is probably missing.
        paid: the rise of that term; K is multiplied by its weight.
        gained: the fall of the other term in the same unit; less than ``paid``.
        first_update: first update of the two compared halves; updates count from 1.
        last_update: their last update. The report comes a quarter of their length later.
        num_errors: ``paid - gained`` in standard errors of that difference.
        unit: the name of an update in the message.

    Example:
        >>> print(Trade("K", 0.009, 0.0004, 1250, 2750, 7.5))
        From update 1250 to 2750 the weighted K rose by 0.009 while the task loss fell by only
        0.0004, and noise does not explain it (7.5 standard errors): K's gradient may not
        arrive.
    """

    payer: Literal["K", "task"]
    paid: float
    gained: float
    first_update: int
    last_update: int
    num_errors: float
    unit: str = "update"

    def __str__(self) -> str:
        names = ("the weighted K", "the task loss")
        rose, fell = names if self.payer == "K" else reversed(names)
        whose = "K's" if self.payer == "K" else "the task loss's"
        return (
            f"From {self.unit} {self.first_update} to {self.last_update} {rose} rose by "
            f"{self.paid:.3g} while {fell} fell by only {self.gained:.2g}, and noise does not "
            f"explain it ({self.num_errors:.1f} standard errors): {whose} gradient may not arrive."
        )


class TradeMonitor:
    """Reports once if one term of the loss rises by more than the other falls.

    An optimiser of task + weight * K does not let the combined loss rise for long. If one term
    falls while the other rises by more, the rising term's gradient is probably cut, and
    `audit_gradients` can tell where.

    The monitor compares the trimmed means of two halves of a window (Yuen, 1974), for windows of
    64, 128, 256, ... updates. It allows for correlated noise, and its threshold grows with the
    number of windows (Lan and DeMets, 1983). It ignores rises that happen at once or are soon
    undone. `docs/trade-monitor.md` has the formulas, measurements and causes of false alarms.

    Memory is bounded (112 spans of each of at most 24 lengths); an update takes some microseconds.

    Args:
        num_errors: standard errors by which the combined loss must rise, 1 to 10^6.
        correlated_updates: consecutive updates whose noise counts as one, 1 to 10^6. The default
            allows for neighbours that correlate by 0.8. Raise it if the losses wander, for example
            if they are running averages.
        unit: the name of an update in the report, such as ``"step"``.

    Raises:
        AuditError: an argument is out of its bounds.

    Example:
        >>> monitor = TradeMonitor()
        >>> for step in range(1000):
        ...     trade = monitor.update(0.5 - 1e-5 * step, 4.0 + 1e-3 * step, weight=0.2)
        ...     if trade is not None:
        ...         print(trade)
        From update 65 to 192 the weighted K rose by 0.0128 while the task loss fell by only
        0.00064, and noise does not explain it (5.1 standard errors): K's gradient may not arrive.
    """

    def __init__(
        self, *, num_errors: float = 5.0, correlated_updates: float = 9.0, unit: str = "update"
    ) -> None:
        _check("num_errors", num_errors)
        _check("correlated_updates", correlated_updates)
        self._num_errors, self._unit = num_errors, unit
        self._factors = [error_factor(2**level, correlated_updates) for level in range(MAX_LEVELS)]
        self._history = SpanHistory()
        self._path = WeightedPath()
        self._num_updates = 0
        self._reported = False

    def update(
        self, task: float | Scalar, k: float | Scalar, weight: float | Scalar
    ) -> Trade | None:
        """Add the losses of one update: either each step or each epoch, but not both.

        All three are numbers or tensors of one element; the monitor waits for a tensor's device.

        Args:
            task: the minimised task loss on training data.
            k: the Kolmogorov loss, or any other term that is added with a weight; unweighted.
            weight: the factor of ``k`` in this update; at least 0; may change.

        Returns:
            The first trade that is found; None before and after. An update with a number that is
            not finite is counted but otherwise ignored.

        Raises:
            AuditError: the weight is negative.
        """
        self._num_updates += 1
        if self._reported:
            return None
        numbers = (_number(task), _number(k), _number(weight))
        if not all(abs(number) < _LARGEST for number in numbers):
            return None
        if numbers[2] < 0:
            raise AuditError(
                f"Cannot monitor a trade: expected a weight of at least 0, got {numbers[2]:g}. "
                "Give the weight that K is multiplied by in the loss."
            )
        trade = self._add(*numbers)
        self._reported = trade is not None
        return trade

    def history(self) -> list[float]:
        """Return the whole state for a checkpoint: at most 8,071 numbers."""
        counts = [float(self._num_updates), float(self._reported)]
        return [*counts, *self._path.numbers(), *self._history.numbers()]

    def restore(self, history: Sequence[float]) -> None:
        """Continue from the state that `history` returned, with identical results bit for bit.

        Raises:
            AuditError: the history is incomplete.

        Example:
            >>> monitor, resumed = TradeMonitor(), TradeMonitor()
            >>> for step in range(100):
            ...     found = monitor.update(1 / (1 + step), 4.0, 0.1)
            >>> resumed.restore(monitor.history())
            >>> resumed.history() == monitor.history()
            True
        """
        numbers = [float(number) for number in history]
        if len(numbers) < len(TradeMonitor().history()):
            raise AuditError(
                f"Cannot restore a trade monitor: expected a history, got {len(numbers)} numbers. "
                "Give what history() returned, whole."
            )
        self._history.restore(numbers[6:])
        self._path.restore(numbers[2:6])
        self._num_updates, self._reported = int(numbers[0]), bool(numbers[1])

    def _add(self, task: float, k: float, weight: float) -> Trade | None:
        span = SpanMean(float(self._num_updates), task, self._path.step(k, weight))
        found = None
        smallest = SMALLEST_SHARE * (abs(task) + abs(weight * k))
        for level in self._history.add(span):
            num_spans = self._history.num_spans(level)
            is_due = num_spans >= NUM_SPANS and num_spans % _SPANS_BETWEEN_TESTS == 0
            if is_due and found is None:
                found = self._test(level, num_spans, smallest)
        return found

    def _test(self, level: int, num_spans: int, smallest: float) -> Trade | None:
        window = Window.of(self._history.window(level))
        change = window.compare()
        factor = self._factors[level]
        needed = factor * errors_needed(self._num_errors, num_spans)
        if not change.is_trade(needed, smallest):
            return None
        if window.is_jump(change) or window.is_excursion(change):
            return None
        error = factor * change.error
        return Trade(
            payer="K" if change.paid > 0 else "task",
            paid=max(change.task, change.paid),
            gained=-min(change.task, change.paid),
            first_update=int(window.older[0].first_update),
            last_update=int(window.after[0].first_update) - 1,
            num_errors=change.rise / error if error > 0 else math.inf,
            unit=self._unit,
        )


def _number(value: float | Scalar) -> float:
    return float(value if isinstance(value, float | int) else value.item())


def _check(name: str, value: float) -> None:
    if not 1 <= value <= _LARGEST_SETTING:
        raise AuditError(
            f"Cannot make a trade monitor: expected {name} to be from 1 to {_LARGEST_SETTING:g}, "
            f"got {value}. Leave it out for the default."
        )
