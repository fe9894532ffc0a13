"""Schedules of lambda, the weight of K, from epoch to epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor


class LambdaSchedule(ABC):
    """Gives each epoch its lambda; checkpoints hold its history.

    Attributes:
        name: the name of its history in a checkpoint.
    """

    name: ClassVar[str]

    @abstractmethod
    def weight(self, epoch: int) -> float:
        """Return lambda for an epoch, counted from 1."""

    def observe(self, epoch: int, task: float, bits: float) -> str | None:
        """Take note of an epoch that is over.

        Args:
            epoch: number of the epoch, from 1.
            task: mean task loss of the epoch.
            bits: bits of the whole description after the epoch.

        Returns:
            A line for a person to read, or None.
        """
        return None

    def conclusion(self) -> str | None:
        """Return a line for a person to read if training ends now, or None."""
        return None

    def history(self) -> Tensor:
        """Return its history as a flat tensor."""
        return torch.zeros(0, dtype=torch.float64, device="cpu")

    def restore(self, history: Tensor) -> None:  # noqa: B027 - most schedules keep no history
        """Load a tensor from `history`."""


class ConstantLambda(LambdaSchedule):
    """The same lambda in every epoch.

    Args:
        value: lambda, at least 0.

    >>> ConstantLambda(0.01).weight(7)
    0.01
    """

    name = "constant"

    def __init__(self, value: float) -> None:
        self._value = value

    def weight(self, epoch: int) -> float:
        """Return the same value for every epoch."""
        return self._value


class WarmUp(LambdaSchedule):
    """Another schedule behind a linear rise from 0: in epoch e of E, e/E of its lambda.

    Args:
        inner: the schedule that is reached in epoch ``num_epochs``; it sees every epoch.
        num_epochs: E, at least 1.

    >>> [WarmUp(ConstantLambda(0.5), 4).weight(epoch) for epoch in (1, 2, 4, 5)]
    [0.125, 0.25, 0.5, 0.5]
    """

    name = "warm_up"

    def __init__(self, inner: LambdaSchedule, num_epochs: int) -> None:
        self._inner, self._num_epochs = inner, num_epochs

    def weight(self, epoch: int) -> float:
        """Return the inner schedule's lambda, times the share of the rise."""
        # The inner schedule is asked in every epoch, as it may measure something at the first.
        return self._inner.weight(epoch) * min(1.0, epoch / self._num_epochs)

    def observe(self, epoch: int, task: float, bits: float) -> str | None:
        """Pass the epoch to the inner schedule."""
        return self._inner.observe(epoch, task, bits)

    def conclusion(self) -> str | None:
        """Return the inner schedule's line."""
        return self._inner.conclusion()

    def history(self) -> Tensor:
        """Return the inner schedule's history; the rise follows from the epoch."""
        return self._inner.history()

    def restore(self, history: Tensor) -> None:
        """Load the inner schedule's history."""
        self._inner.restore(history)
