"""Watches task loss and K while they are minimised together, and tells when one pays for the other.

Nothing here is differentiated: the monitor sees three numbers an update, in any loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bitfold.audit.trade.comparison import Window, error_factor, errors_needed
from bitfold.audit.trade.windows import HALF, MAX_LEVELS, NUM_BLOCKS, Block, WeightedPath, Windows
from bitfold.errors import AuditError

# Each length is tested whenever a quarter of a half is new, so that hardly any rise falls between.
_BLOCKS_BETWEEN_TESTS = HALF // 4
# Over a million updates the slightest drift stands out of the noise; below this share of the
# combined loss's parts a rise is of no consequence.
SMALLEST_SHARE = 1e-4
_LARGEST_SETTING = 1e6
# Beyond this, squares of sums would overflow.
_LARGEST = 1e100


class Scalar(Protocol):
    """A tensor or array of one number."""

    def item(self) -> float:
        """Return the number."""
        ...


@dataclass(frozen=True)
class Trade:
    """A stretch of training in which one term rose, weighted, by more than the other fell.

    Source: none, ours; `docs/trade-monitor.md` derives the test.

    Args:
        payer: the term that rose: ``"K"`` or ``"task"``. Its gradient is the one to look for.
        paid: by how much it rose; K's is multiplied by its weight.
        gained: by how much the other term fell, in the same unit; less than ``paid``.
        first_update: where the window begins whose two halves differ by that; updates are counted
            from 1.
        last_update: where it ends. It is reported a quarter of its length later.
        num_errors: ``paid - gained`` in standard errors of that difference.
        unit: what an update is called.

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
    """Reports, once, that training paid more of one term than it gained of the other.

    Source: none, ours, from known parts: trimmed means of a window's two halves (Yuen, 1974),
    windows of 64, 128, 256, ... updates, an allowance for correlated noise, and a threshold that
    grows with the number of windows (Lan and DeMets, 1983). What jumps, or comes and goes, is left
    out. See `docs/trade-monitor.md` for the
    formulas, for what was measured, and for what makes a false alarm.

    An optimiser of task + weight * K does not let the combined loss rise for long. If one term
    falls while the other rises by more, the rising term's gradient is probably cut somewhere, and
    `audit_gradients` can tell where.

    Memory is bounded (112 blocks of each of at most 24 lengths); an update takes some microseconds.

    Args:
        num_errors: how many standard errors the combined loss must rise by, 1 to 10^6.
        correlated_updates: how many consecutive updates' noise counts as one, 1 to 10^6. The
            default allows for neighbours that correlate by 0.8. Raise it for a loop whose losses
            wander, for instance running averages.
        unit: what the report is to call an update, such as ``"step"``.

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
        self._windows = Windows()
        self._path = WeightedPath()
        self._num_updates = 0
        self._reported = False

    def update(
        self, task: float | Scalar, k: float | Scalar, weight: float | Scalar
    ) -> Trade | None:
        """Take up the losses of one step or one epoch, always the same of the two.

        Args:
            task: the task loss that is minimised, on training data. Numbers or tensors of one
                number each; a tensor on a device is waited for.
            k: the Kolmogorov loss, or any other term that is added with a weight; unweighted.
            weight: what it is multiplied by in this update; at least 0; may change.

        Returns:
            The trade, when one is found for the first time; None before and ever after. An update
            in which a number is not finite is counted and otherwise passed over.

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
        """Return all that it remembers, for a checkpoint: at most 8,071 numbers."""
        counts = [float(self._num_updates), float(self._reported)]
        return [*counts, *self._path.numbers(), *self._windows.numbers()]

    def restore(self, history: Sequence[float]) -> None:
        """Take up what `history` gave; from there on it does, bit for bit, what that one would.

        Raises:
            AuditError: this is not a whole history.

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
        self._windows.restore(numbers[6:])
        self._path.restore(numbers[2:6])
        self._num_updates, self._reported = int(numbers[0]), bool(numbers[1])

    def _add(self, task: float, k: float, weight: float) -> Trade | None:
        block = Block(float(self._num_updates), task, self._path.step(k, weight))
        found = None
        smallest = SMALLEST_SHARE * (abs(task) + abs(weight * k))
        for level in self._windows.add(block):
            num_blocks = self._windows.num_blocks(level)
            is_due = num_blocks >= NUM_BLOCKS and num_blocks % _BLOCKS_BETWEEN_TESTS == 0
            if is_due and found is None:
                found = self._test(level, num_blocks, smallest)
        return found

    def _test(self, level: int, num_blocks: int, smallest: float) -> Trade | None:
        window = Window.of(self._windows.window(level))
        change = window.compare()
        factor = self._factors[level]
        needed = factor * errors_needed(self._num_errors, num_blocks)
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
