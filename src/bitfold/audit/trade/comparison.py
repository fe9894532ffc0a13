"""Has the combined loss risen from one half of a window to the other, beyond the window's noise?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

from bitfold.audit.trade.windows import AFTER, BEFORE, HALF, Block

# Of any stretch of blocks the eighth with the lowest and the eighth with the highest combined loss
# are left out, so that a spike of a few updates neither makes a rise nor hides one.
_TRIMMED_SHARE = 8
# A drift takes its time: no more than this share of a rise may happen within a sixteenth of both
# halves, or it is a jump. An even drift does an eighth of it in such a stretch, a step all of it.
_LARGEST_JUMP = 0.75
_STRETCH = HALF // 8
# A jump must stand out of the noise of its two stretches by so many errors to count as one.
_JUMP_ERRORS = 3.0
# Of Gaussian noise of deviation 1: the normal quartile times the root of 2.
_MEDIAN_DIFFERENCE = 0.6745 * math.sqrt(2)
# A rise of which less than this is left soon after was an excursion.
_LEAST_LEFT = 0.5
# So many windows of one length are tested at the threshold that was asked for.
_FREE_WINDOWS = 64


@dataclass(frozen=True)
class Comparison:
    """What changed from the first half of a window to the second, in trimmed means.

    Args:
        task: change of the task loss.
        paid: change of the weighted K.
        error: standard error of the change of their sum, if all blocks were independent.
    """

    task: float
    paid: float
    error: float

    @property
    def rise(self) -> float:
        """Return the change of the combined loss."""
        return self.task + self.paid

    def is_trade(self, num_errors: float, smallest: float) -> bool:
        """Whether one term fell, the other rose by more, and noise does not explain it.

        Args:
            num_errors: how many standard errors the combined loss must have risen by.
            smallest: the least rise to speak of.
        """
        opposed = min(self.task, self.paid) < 0 < max(self.task, self.paid)
        return opposed and self.rise > max(num_errors * self.error, smallest)


@dataclass(frozen=True)
class _Level:
    """Trimmed means of some blocks, and the winsorised variance of the mean of combined."""

    task: float
    paid: float
    variance: float

    @property
    def combined(self) -> float:
        return self.task + self.paid


@dataclass(frozen=True)
class Window:
    """The 112 blocks of one length that a test looks at, oldest first.

    Args:
        before: 32 blocks.
        older: 32 blocks, the first of the two halves that are compared.
        newer: 32 blocks, the second half.
        after: 16 blocks.
    """

    before: Sequence[Block]
    older: Sequence[Block]
    newer: Sequence[Block]
    after: Sequence[Block]

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> Window:
        """Divide 112 blocks."""
        middle = BEFORE + HALF
        parts = blocks[:BEFORE], blocks[BEFORE:middle], blocks[middle:-AFTER], blocks[-AFTER:]
        return cls(*parts)

    def compare(self) -> Comparison:
        """Compare both halves by their trimmed means.

        Source: K. K. Yuen, 1974, "The two-sample trimmed t for unequal population variances",
        Biometrika 61: means of the blocks left after trimming, errors from winsorised variances.
        Blocks are ordered by their combined loss, and both terms are averaged over the same blocks.

        Example:
            >>> low = [Block(i, 0.5, 1.0 + 0.01 * (i % 2)) for i in range(64)]
            >>> high = [Block(i, 0.4, 1.3 + 0.01 * (i % 2)) for i in range(48)]
            >>> found = Window.of(low + high).compare()
            >>> round(found.task, 6), round(found.paid, 6), found.is_trade(5.0, smallest=0.0)
            (-0.1, 0.3, True)
        """
        older, newer = _level(self.older), _level(self.newer)
        error = math.sqrt(older.variance + newer.variance)
        return Comparison(newer.task - older.task, newer.paid - older.paid, error)

    def is_jump(self, change: Comparison) -> bool:
        """Whether a rise happened almost at once, as where training slips or its data change.

        Source: none, ours. A term without a gradient drifts; it does not jump. Means of 4
        neighbouring blocks are compared with those of the 4 before, at every place of both halves.

        Args:
            change: what `compare` found.

        Example:
            >>> step = Window.of([Block(i, 0.5, float(i >= 64)) for i in range(112)])
            >>> slope = Window.of([Block(i, 0.5, i / 112) for i in range(112)])
            >>> [window.is_jump(window.compare()) for window in (step, slope)]
            [True, False]
        """
        combined = [block.task + block.paid for block in (*self.older, *self.newer)]
        sums = list(accumulate(combined, initial=0.0))
        largest = max(
            sums[place + _STRETCH] - 2 * sums[place] + sums[place - _STRETCH]
            for place in range(_STRETCH, 2 * HALF - _STRETCH + 1)
        )
        # From neighbours' differences, of which a jump is one and a drift hardly any.
        deviation = median(abs(b - a) for a, b in pairwise(combined)) / _MEDIAN_DIFFERENCE
        error = deviation * math.sqrt(2 / _STRETCH)
        return largest / _STRETCH > _LARGEST_JUMP * change.rise + _JUMP_ERRORS * error

    def is_excursion(self, change: Comparison) -> bool:
        """Whether a rise led only to where combined had just been, or was soon undone.

        Source: none, ours. Where an optimiser oscillates about a minimum, or slips and recovers,
        combined rises and falls in turn: it was as high before, or is low again after.

        Args:
            change: what `compare` found.

        Example:
            >>> wave = [Block(i, 0.5, float(i % 64 >= 32)) for i in range(112)]
            >>> slope = [Block(i, 0.5, i / 112) for i in range(112)]
            >>> [Window.of(each).is_excursion(Window.of(each).compare()) for each in (wave, slope)]
            [True, False]
        """
        low = _level(self.older).combined
        was_there = _level(self.before).combined >= low + change.rise
        is_undone = _level(self.after).combined <= low + _LEAST_LEFT * change.rise
        return was_there or is_undone


def _level(blocks: Sequence[Block]) -> _Level:
    ordered = sorted(blocks, key=lambda block: block.task + block.paid)
    num_trimmed = len(ordered) // _TRIMMED_SHARE
    kept = ordered[num_trimmed:-num_trimmed]
    task, paid = sum(block.task for block in kept), sum(block.paid for block in kept)
    combined = [block.task + block.paid for block in kept]
    winsorised = [combined[0]] * num_trimmed + combined + [combined[-1]] * num_trimmed
    mean = sum(winsorised) / len(ordered)
    squares = sum((value - mean) * (value - mean) for value in winsorised)
    num_kept = len(kept)
    return _Level(task / num_kept, paid / num_kept, squares / (num_kept * (num_kept - 1)))


def error_factor(block_updates: int, correlated_updates: float) -> float:
    """How many times too small the error of means is, if blocks are taken to be independent.

    Source: the variance of a mean of a first-order autoregression; any textbook on time series. If
    neighbouring updates correlate by r, c = (1 + r) / (1 - r) of them count as one, and a mean of b
    of them has the variance [c - 2 r (1 - r^b) / (b (1 - r)^2)] / b of one. In the long run it is c
    / b; the root of the ratio is what a test that looks at short blocks must allow for.

    Args:
        block_updates: b, at least 1.
        correlated_updates: c, at least 1.

    Returns:
        At least 1; towards 1 for long blocks.

    Example:
        >>> [round(error_factor(b, 9.0), 2) for b in (1, 4, 16, 64)]
        [3.0, 1.7, 1.17, 1.04]
    """
    c = correlated_updates
    r = (c - 1) / (c + 1)
    within = 2 * r * (1 - r**block_updates) / (block_updates * (1 - r) * (1 - r))
    return math.sqrt(c / (c - within))


def errors_needed(num_errors: float, num_blocks: int) -> float:
    """How many errors a rise must have, after so many blocks of its length have passed.

    Source: alpha spending, K. K. G. Lan and D. L. DeMets, 1983, Biometrika 70. A Gaussian passes z
    errors with a probability that goes with exp(-z^2 / 2). To let the j-th window spend (64 / j)^2
    of what each of the first 64 spends, z^2 grows by 4 ln(j / 64); all windows of a length
    together, however many, then spend no more than 128 of the first.

    Args:
        num_errors: asked of the first 64 windows.
        num_blocks: blocks so far; two halves of 32 are a window.

    Example:
        >>> [round(errors_needed(5.0, 64 * windows), 2) for windows in (1, 64, 1000)]
        [5.0, 5.0, 6.0]
    """
    windows = num_blocks / (2 * HALF)
    return math.sqrt(num_errors * num_errors + 4 * math.log(max(1.0, windows / _FREE_WINDOWS)))
