"""The metrics of a run, in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.training.store.metrics import METRIC_NAMES

_EPOCH = METRIC_NAMES.index("epoch")
_FIRST_ROOM = 1024


class Rows:
    """One row of numbers an epoch, NaN where a number is missing.

    Attributes:
        count: number of rows.
    """

    def __init__(self) -> None:
        self._room = np.empty((_FIRST_ROOM, len(METRIC_NAMES)))
        self.count = 0

    def add(self, rows: NDArray[np.float64]) -> int:
        """Append rows; those of the same and of later epochs are replaced.

        Returns:
            The number of rows that stayed.
        """
        if len(rows) == 0:
            return self.count
        epochs = self._room[: self.count, _EPOCH]
        kept = int(np.searchsorted(epochs, rows[0, _EPOCH]))
        while kept + len(rows) > len(self._room):
            self._room = np.concatenate([self._room, np.empty_like(self._room)])
        self._room[kept : kept + len(rows)] = rows
        self.count = kept + len(rows)
        return kept

    def forget_after(self, epoch: int) -> None:
        """Remove the rows of later epochs."""
        epochs = self._room[: self.count, _EPOCH]
        self.count = int(np.searchsorted(epochs, epoch, side="right"))

    def since(self, first: int) -> NDArray[np.float64]:
        """Return a copy of the rows from a number on."""
        return self._room[first : self.count].copy()
