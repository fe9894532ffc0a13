"""The points that a run learns from, on its device, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.targets import Split, Target


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Training and validation points with their values.

    Args:
        points: training points, float32 (N, inputs).
        values: their values, float32 (N, channels), or their classes, int64 (N,).
        validation_points: as ``points``.
        validation_values: as ``values``.
        batch_size: points of a step; the last step of an epoch may have fewer.
    """

    points: Tensor
    values: Tensor
    validation_points: Tensor
    validation_values: Tensor
    batch_size: int

    @classmethod
    def of(
        cls, target: Target, split: Split, *, batch_size: int, device: torch.device
    ) -> TrainingData:
        """Return the points of a split with the target's values, on a device."""
        return cls(
            *_on_device(target, split.training, device),
            *_on_device(target, split.validation, device),
            batch_size,
        )

    def stored_batches(self, at_least: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (points, values) of each batch in the stored order.

        Args:
            at_least: points in a batch, if those of training are smaller.
        """
        size = max(self.batch_size, at_least)
        points = torch.split(self.points, size)
        return zip(points, torch.split(self.values, size), strict=True)

    def shuffled_order(self, order: torch.Generator) -> Tensor:
        """Return an order of the training points drawn from a generator: int64 (N,), on the CPU."""
        return torch.randperm(len(self.points), generator=order, device="cpu")

    def shuffled_batches(self, order: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (points, values) of each batch in an order drawn from a generator."""
        indices = self.shuffled_order(order).to(self.points.device)
        points, values = self.points.index_select(0, indices), self.values.index_select(0, indices)
        for start in range(0, len(points), self.batch_size):
            stop = start + self.batch_size
            yield points[start:stop], values[start:stop]

    def first_batch(self) -> tuple[Tensor, Tensor]:
        """Return (points, values) of the first batch in the stored order."""
        return self.points[: self.batch_size], self.values[: self.batch_size]


def _on_device(
    target: Target, indices: NDArray[np.int64], device: torch.device
) -> tuple[Tensor, Tensor]:
    points = torch.from_numpy(target.grid.coordinates(indices)).to(device)
    return points, torch.from_numpy(target.values(indices)).to(device)
