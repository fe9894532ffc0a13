"""Which older checkpoints of a run stay, so that a branch trains little again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Training time between two checkpoints that stay. A branch from any epoch trains at most this long
#: again, and one epoch more; twice the time is promised, as a machine may be busier than before.
SPACING_SECONDS: Final = 5.0
_FIXED: Final = 2  # the oldest and the newest are never thinned


class Retention:
    """Chooses checkpoints by the time of training between them, within a budget of disk.

    When the budget is used up, checkpoints are thinned geometrically: those stay whose distance to
    their neighbours is small beside their age. So recent epochs stay near, and no epoch of a long
    run is lost. Without a budget none is chosen.

    Args:
        budget_bytes: for all chosen checkpoints together; 0 to choose none.
        sizes: epoch to size of the checkpoints that lie on disk; all of them are chosen.

    Attributes:
        losses: the validation losses that are known, by epoch.

    Example:
        >>> retention = Retention(300, {})
        >>> for epoch in range(0, 60, 10):
        ...     retention.trained(5.0)
        ...     retention.take(epoch, 100)
        >>> [epoch for epoch in range(60) if retention.keeps(epoch)]
        [0, 40, 50]
    """

    def __init__(self, budget_bytes: int, sizes: Mapping[int, int]) -> None:
        self._budget_bytes = budget_bytes
        self._sizes = dict(sizes) if budget_bytes else {}
        self._seconds = 0.0  # of training since the newest one
        self.losses: dict[int, float] = {}

    @property
    def is_due(self) -> bool:
        """Whether the next checkpoint should be written now, and will stay."""
        return self._budget_bytes > 0 and self._seconds >= SPACING_SECONDS

    def trained(self, seconds: float) -> None:
        """Count time of training."""
        self._seconds += seconds

    def postpone(self) -> None:
        """Try again only after the usual time: the disk refuses checkpoints."""
        self._seconds = 0.0

    def take(self, epoch: int, num_bytes: int) -> None:
        """Note that a checkpoint was written; it is chosen if one was due, or if it is first."""
        if not (self.is_due or (self._budget_bytes and not self._sizes)):
            return
        self._sizes[epoch], self._seconds = num_bytes, 0.0
        while sum(self._sizes.values()) > self._budget_bytes and len(self._sizes) > _FIXED:
            del self._sizes[self._least_missed()]

    def keeps(self, epoch: int) -> bool:
        """Whether a checkpoint stays."""
        return epoch in self._sizes

    def _least_missed(self) -> int:
        """Return the epoch whose neighbours are nearest to each other, beside their age."""
        epochs = sorted(self._sizes)
        newest = epochs[-1]

        def relative_gap(index: int) -> float:
            return (epochs[index + 1] - epochs[index - 1]) / (newest - epochs[index - 1])

        return epochs[min(range(1, len(epochs) - 1), key=relative_gap)]
