"""Narrow a tensor's or a loss's declared type in tests, with a check."""

from torch import Tensor

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.grid.learned_range import LearnedRange


def gradient_of(item: Tensor) -> Tensor:
    """Return the gradient that a tensor received."""
    assert item.grad is not None
    return item.grad


def learned_range(loss: KolmogorovLoss) -> LearnedRange:
    """Return the range of a loss whose steps are learned."""
    assert isinstance(loss.weight_range, LearnedRange)
    return loss.weight_range
