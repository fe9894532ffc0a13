"""Lambda, the weight of K, from epoch to epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor


class WeightSchedule(ABC):
    """Gives each epoch its lambda; what it learns from epochs is part of a checkpoint.

    Source: none, ours.

    Attributes:
        name: under which its memory lies in a checkpoint.
    """

    name: ClassVar[str]

    @abstractmethod
    def weight(self, epoch: int) -> float:
        """Return lambda for an epoch, counted from 1."""

    def observe(self, epoch: int, task: float, bits: float) -> str | None:
        """Look at an epoch that is over.

        Args:
            epoch: its number, from 1.
            task: its mean task loss.
            bits: length of the whole description after it.

        Returns:
            A line that a person should read, or None.
        """
        return None

    def conclusion(self) -> str | None:
        """Return what a person should know when training ends here, or None."""
        return None

    def history(self) -> Tensor:
        """Return its memory as a flat tensor."""
        return torch.zeros(0, dtype=torch.float64)

    def restore(self, history: Tensor) -> None:  # noqa: B027 - most schedules remember nothing
        """Take up a memory that `history` gave."""


class ConstantWeight(WeightSchedule):
    """The same lambda in every epoch.

    Args:
        value: lambda, at least 0.

    >>> ConstantWeight(0.01).weight(7)
    0.01
    """

    name = "constant"

    def __init__(self, value: float) -> None:
        self._value = value

    def weight(self, epoch: int) -> float:
        """Return the one value."""
        return self._value


class WarmUp(WeightSchedule):
    """Another schedule, reached on a straight line from 0: in epoch e of E, e/E of its lambda.

    Args:
        inner: what is reached in epoch ``num_epochs``; it sees every epoch.
        num_epochs: E, at least 1.

    >>> [WarmUp(ConstantWeight(0.5), 4).weight(epoch) for epoch in (1, 2, 4, 5)]
    [0.125, 0.25, 0.5, 0.5]
    """

    name = "warm_up"

    def __init__(self, inner: WeightSchedule, num_epochs: int) -> None:
        self._inner, self._num_epochs = inner, num_epochs

    def weight(self, epoch: int) -> float:
        """Return a growing share of the other schedule's lambda."""
        # The other schedule is asked in every epoch: it may measure something at the first.
        return self._inner.weight(epoch) * min(1.0, epoch / self._num_epochs)

    def observe(self, epoch: int, task: float, bits: float) -> str | None:
        """Let the other schedule look."""
        return self._inner.observe(epoch, task, bits)

    def conclusion(self) -> str | None:
        """Return the other schedule's."""
        return self._inner.conclusion()

    def history(self) -> Tensor:
        """Return the other schedule's memory; the way up follows from the epoch."""
        return self._inner.history()

    def restore(self, history: Tensor) -> None:
        """Give the other schedule its memory."""
        self._inner.restore(history)
