"""Means over blocks of updates, at every power of two, in memory that does not grow with a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from bitfold.errors import AuditError

# So many blocks of each length are held: two halves of 32 that are compared, which is enough for a
# test that asks for five errors, 32 before and 16 after them.
HALF = 32
BEFORE, AFTER = 32, 16
NUM_BLOCKS = BEFORE + 2 * HALF + AFTER
# The largest block is then 2^23 updates, all of them together almost a billion.
MAX_LEVELS = 24
_NUMBERS_A_BLOCK = 3


class Block(NamedTuple):
    """The mean of both terms over some updates that follow one another.

    Args:
        first_update: the number of the earliest of them.
        task: mean task loss.
        paid: mean of the weighted K, see `WeightedPath`.
    """

    first_update: float
    task: float
    paid: float


class Windows:
    """Holds, for blocks of 1, 2, 4, ... updates, the latest 112 blocks.

    Source: none, ours; a binary counter. Adding an update costs two block means on average.

    Example:
        >>> windows = Windows()
        >>> for update in range(1, 227):
        ...     touched = windows.add(Block(float(update), 1.0, 0.0))
        >>> windows.num_updates, touched
        (226, [0, 1])
        >>> window = windows.window(1)
        >>> len(window), window[0].first_update
        (112, 3.0)
    """

    def __init__(self) -> None:
        self.num_updates = 0
        self._levels: list[deque[Block]] = []

    def add(self, block: Block) -> list[int]:
        """Take up an update; return the levels that have a new block, finest first.

        Args:
            block: of one update.

        Returns:
            Each l whose blocks of 2^l updates became one more.
        """
        touched = []
        self.num_updates += 1
        for level in range(MAX_LEVELS):
            if level == len(self._levels):
                self._levels.append(deque(maxlen=NUM_BLOCKS))
            blocks = self._levels[level]
            blocks.append(block)
            touched.append(level)
            if self.num_blocks(level) % 2:
                break
            block = _merged(blocks[-2], blocks[-1])
        return touched

    def num_blocks(self, level: int) -> int:
        """Return how many blocks a level has had so far."""
        return self.num_updates >> level

    def window(self, level: int) -> list[Block]:
        """Return the latest blocks of a level, oldest first; 112 once there are."""
        return list(self._levels[level])

    def numbers(self) -> list[float]:
        """Return all that is held, flat: the count, then each level's blocks."""
        blocks = (number for level in self._levels for block in level for number in block)
        return [float(self.num_updates), *blocks]

    def restore(self, numbers: Sequence[float]) -> None:
        """Take up what `numbers` gave.

        Raises:
            AuditError: there are more or fewer numbers than the count says.
        """
        num_updates = int(numbers[0])
        levels = range(min(num_updates.bit_length(), MAX_LEVELS))
        sizes = [min(num_updates >> level, NUM_BLOCKS) for level in levels]
        expected = 1 + _NUMBERS_A_BLOCK * sum(sizes)
        if len(numbers) != expected:
            raise AuditError(
                f"Cannot restore a trade monitor: expected {expected} numbers for {num_updates} "
                f"updates, got {len(numbers)}. Give what history() returned, whole."
            )
        rest = iter(numbers[1:])
        blocks = map(Block._make, zip(rest, rest, rest, strict=True))
        self.num_updates = num_updates
        self._levels = [
            deque((next(blocks) for _ in range(size)), maxlen=NUM_BLOCKS) for size in sizes
        ]


class WeightedPath:
    """Adds up weight times each change of K, so that a change of the weight alone pays nothing.

    Source: none, ours. Along a gradient flow on task + w(t) K with a weight that changes,
    d task + w(t) dK never rises, though task + w(t) K may. This is the integral of w dK by the
    trapezoid rule, written as w K plus an offset that only a change of the weight moves: with a
    constant weight it *is* w K.

    Example:
        >>> path = WeightedPath()
        >>> [path.step(4.0, 0.5), path.step(4.0, 1.0), path.step(5.0, 1.0)]
        [2.0, 2.0, 3.0]
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._offset = self._last_k = self._last_weight = 0.0

    def step(self, k: float, weight: float) -> float:
        """Go on to the next K and weight; return the sum so far."""
        if self._has_begun:
            self._offset -= (weight - self._last_weight) * (k + self._last_k) / 2
        self._has_begun, self._last_k, self._last_weight = True, k, weight
        return weight * k + self._offset

    def numbers(self) -> list[float]:
        """Return all that is held: 4 numbers."""
        return [float(self._has_begun), self._offset, self._last_k, self._last_weight]

    def restore(self, numbers: Sequence[float]) -> None:
        """Take up what `numbers` gave."""
        has_begun, self._offset, self._last_k, self._last_weight = numbers
        self._has_begun = bool(has_begun)


def _merged(older: Block, newer: Block) -> Block:
    return Block(older.first_update, (older.task + newer.task) / 2, (older.paid + newer.paid) / 2)
