"""Blocks of columns that are rounded together, before the columns after them make up for errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Columns whose errors are handed on to all later ones together.
_BLOCK: Final = 32


class Blocks:
    """A layer's columns in blocks; whoever goes through them rounds one block after the other.

    Each turn yields the block's first column and its end; all numbers, and room for the errors of
    the block's columns over their pivots. After the turn these errors are handed on.

    Args:
        weights: (columns, rows), columns being inputs; more than ``num_columns`` are not rounded,
            but make up for the errors of the others.
        factor: see `surgeon.round_columns`; None: no column makes up for another.
        num_columns: that are rounded.

    Attributes:
        left: what became of the weights.
        numbers: (``num_columns``, rows), of steps.
        layer: ``left``, the factor or (0, 0), and its diagonal.
    """

    def __init__(self, weights: Floats, factor: Floats | None, num_columns: int) -> None:
        self.left = np.array(weights, np.float64, order="C")
        self.numbers = np.zeros((num_columns, weights.shape[1]), np.int64)
        self._factor = factor
        if factor is None:
            shares, pivots = np.zeros((0, 0)), np.ones(num_columns)
        else:
            shares, pivots = factor, np.ascontiguousarray(np.diag(factor))
        self.layer = (self.left, shares, pivots)

    def __iter__(self) -> Iterator[tuple[tuple[int, int], tuple[Ints, Floats]]]:
        num_columns, num_rows = self.numbers.shape
        left = torch.from_numpy(self.left)
        factor = None if self._factor is None else torch.from_numpy(self._factor)
        for first in range(0, num_columns, _BLOCK):
            end = min(first + _BLOCK, num_columns)
            errors = np.zeros((end - first, num_rows))
            yield (first, end), (self.numbers, errors)
            if factor is not None:
                left[end:].addmm_(factor[first:end, end:].T, torch.from_numpy(errors), alpha=-1)
