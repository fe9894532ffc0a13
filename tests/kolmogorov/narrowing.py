"""What tests know of a tensor or a loss beyond its declared type, checked where they use it."""

from torch import Tensor

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.grid.learned_range import LearnedRange


def gradient_of(item: Tensor) -> Tensor:
    """The gradient that a tensor got."""
    assert item.grad is not None
    return item.grad


def learned_range(loss: KolmogorovLoss) -> LearnedRange:
    """The range of a loss whose steps are learned."""
    assert isinstance(loss.weight_range, LearnedRange)
    return loss.weight_range
