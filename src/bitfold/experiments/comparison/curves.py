"""Metrics over the epochs at a few epochs that all runs share, so that groups can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from bitfold.errors import BitfoldError
from bitfold.experiments.comparison.entries import Entry

_NUM_EPOCHS: Final = 64
_DIGITS: Final = 5
#: The metrics that a page shows, as far as a run has them.
METRICS: Final = (
    "validation_loss", "task_loss", "psnr_db", "accuracy", "kolmogorov_loss", "description_bits",
    "combined_loss", "num_polytopes",
)  # fmt: skip

Curve = list[float | None]


def shared_epochs(most: int) -> list[int]:
    """Return at most 64 epochs from 1 to the last one, evenly spread.

    >>> shared_epochs(4), len(shared_epochs(1000)), shared_epochs(1000)[-1]
    ([1, 2, 3, 4], 64, 1000)
    """
    if most < 1:
        return []
    return sorted({round(float(one)) for one in np.linspace(1, most, min(most, _NUM_EPOCHS))})


def curves_of(entries: Sequence[Entry]) -> tuple[list[int], list[dict[str, Curve]]]:
    """Return shared epochs, and for each run its metrics at these; None after its last epoch."""
    epochs = shared_epochs(max((entry.end.epochs for entry in entries), default=0))
    return epochs, [_curves(entry, epochs) for entry in entries]


def _curves(entry: Entry, epochs: Sequence[int]) -> dict[str, Curve]:
    if entry.run is None:
        return {}
    try:
        columns = entry.run.metrics
    except BitfoldError:
        return {}
    rows = [epoch - 1 for epoch in epochs if epoch <= columns.num_epochs]
    found: dict[str, Curve] = {}
    for name in METRICS:
        column = columns.get(name, [])
        values = [rounded(column[row]) if row < len(column) else None for row in rows]
        if any(value is not None for value in values):
            found[name] = [*values, *[None] * (len(epochs) - len(rows))]
    return found


def rounded(value: float | None) -> float | None:
    """Return a number with five digits, which no eye tells from all of them.

    >>> rounded(0.123456789), rounded(None)
    (0.12346, None)
    """
    return None if value is None else float(f"{value:.{_DIGITS}g}")
