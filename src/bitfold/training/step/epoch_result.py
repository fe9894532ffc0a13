"""The losses of an epoch's steps, and what the epoch gave in all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class EpochResult:
    """The numbers of an epoch, read from the device at once.

    Args:
        task_loss: mean task loss of the steps, weighted by their points.
        kolmogorov_loss: mean K of the steps, in nats per weight; None without K.
        validation_loss: task loss over the validation points, after the epoch.
        score: accuracy, or PSNR in decibels, over the validation points.
        output_spread: largest minus smallest output over the validation points.
        description_bits: bits of the whole description after the epoch; None without K.
        out_of_range: number of weights outside the range of the bins; None without K.
        kolmogorov_weight: lambda in this epoch; 0 without K.
        step_losses: (task loss, K) of each step that computed K.
        notice: a line from the schedule of lambda for a person to read, or None.
    """

    task_loss: float
    kolmogorov_loss: float | None
    validation_loss: float
    score: float | None
    output_spread: float
    description_bits: float | None
    out_of_range: int | None
    kolmogorov_weight: float
    step_losses: tuple[tuple[float, float], ...] = ()
    notice: str | None = None


class StepLosses:
    """Collects the losses of an epoch's steps; they stay on the device until the epoch is over.

    Args:
        every: steps from one step with K to the next; K of a due step counts ``every`` times.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._losses: list[Tensor] = []
        self._sizes: list[int] = []
        self._has_k: list[bool] = []
        self._table: Tensor | None = None

    @classmethod
    def of(cls, losses: Tensor, *, num_points: int, batch_size: int) -> StepLosses:
        """Return the losses of an epoch whose steps all computed K.

        Args:
            losses: (steps, 1 or 2).
            num_points: points of the epoch.
            batch_size: points of a step; the last one has the rest.
        """
        found = cls(every=1)
        found._sizes = [
            min(batch_size, num_points - first) for first in range(0, num_points, batch_size)
        ]
        found._has_k, found._table = [True] * len(losses), losses
        return found

    def add(self, losses: Sequence[Tensor], *, num_points: int, has_k: bool) -> None:
        """Add a step.

        Args:
            losses: [task loss] or [task loss, K], scalars.
            num_points: points of the step's batch.
            has_k: whether K was due in the step; without K always the same.
        """
        self._losses += losses
        self._sizes.append(num_points)
        self._has_k.append(has_k)

    def stacked(self) -> Tensor:
        """Return all losses, (steps, 1 or 2)."""
        if self._table is not None:
            return self._table
        return torch.stack(self._losses).reshape(len(self._sizes), -1)

    def means(self, losses: Tensor, present_k: Callable[[], Tensor]) -> list[Tensor]:
        """Return the means over the steps, weighted by their points: of the task loss, and of K.

        Args:
            losses: as `stacked` gives them.
            present_k: computes K, for an epoch in which no step had K.
        """
        sizes, shares = _sizes_and_shares(tuple(self._sizes), losses.dtype, losses.device)
        if losses.shape[1] == 1 or self._every == 1:
            return list((losses * shares[:, None]).sum(0))
        if not any(self._has_k):
            return [(losses[:, 0] * shares).sum(), present_k()]
        due = sizes * torch.tensor(self._has_k, device=losses.device)
        k = (losses[:, 1] * due).sum() / due.sum() / self._every
        return [(losses[:, 0] * shares).sum(), k]

    def with_k(self, flat: Sequence[float]) -> tuple[tuple[float, float], ...]:
        """Return (task loss, K) of each step that had K.

        Args:
            flat: the numbers of `stacked`, flattened, as read from the device.
        """
        pairs = zip(flat[::2], flat[1::2], self._has_k, strict=True)
        return tuple((task, k / self._every) for task, k, has_k in pairs if has_k)


@lru_cache(maxsize=4)  # the same in each epoch
def _sizes_and_shares(
    sizes: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The points of each step, and their share of all."""
    points = torch.tensor(sizes, dtype=dtype, device=device)
    return points, points / sum(sizes)
