"""The metrics of a run in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.studio.hub.rows import Rows
from bitfold.training.store.metrics import METRIC_NAMES


def rows_of(*epochs: int, loss: float = 0.5) -> NDArray[np.float64]:
    """Return rows of some epochs."""
    found = np.full((len(epochs), len(METRIC_NAMES)), np.nan)
    found[:, 0], found[:, 1] = epochs, loss
    return found


def test_rows_grow_without_end() -> None:
    """Rows grow beyond the memory that was reserved first."""
    rows = Rows()
    for first in range(1, 5001, 50):
        rows.add(rows_of(*range(first, first + 50)))
    assert rows.count == 5000
    assert rows.since(0)[:, 0].tolist() == list(range(1, 5001))
    assert rows.since(4998)[:, 0].tolist() == [4999, 5000]


def test_rows_from_an_earlier_epoch_on_replace_those_that_were_there() -> None:
    """Rows from an earlier epoch, as after a checkpoint, replace the old rows from there on."""
    rows = Rows()
    rows.add(rows_of(1, 2, 3, 4))
    assert rows.add(rows_of(3, loss=0.25)) == 2
    assert rows.since(0)[:, :2].tolist() == [[1, 0.5], [2, 0.5], [3, 0.25]]


def test_rows_of_later_epochs_are_forgotten() -> None:
    """Rows after an epoch are removed; rows up to it stay."""
    rows = Rows()
    rows.add(rows_of(1, 2, 3, 4))
    rows.forget_after(2)
    assert rows.since(0)[:, 0].tolist() == [1, 2]
    rows.forget_after(9)
    assert rows.count == 2
