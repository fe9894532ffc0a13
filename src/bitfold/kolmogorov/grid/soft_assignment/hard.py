"""Hard targets: the nearest bin alone, without a slope."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.soft_assignment.targets import Shares, Targets


@final
@dataclass(frozen=True)
class HardTargets(Targets):
    """Put a weight in its nearest bin, for evaluation only.

    Bias: none. This is the cost in the file, escape codes included, except that the predictor is
    not rounded. Variance: none. There is no slope, because a weight that moves a little stays in
    its bin.

    Args:
        num_bins: at least 2.

    Example:
        >>> HardTargets(256).shares(torch.tensor([99.6])).bins.tolist()
        [[100]]
    """

    option_name = "hard"
    option_rank = 4
    is_differentiable = False

    num_bins: int

    @property
    def window(self) -> int:
        """The nearest bin."""
        return 1

    def shares(self, index: Tensor) -> Shares:
        """All of a weight in its nearest bin."""
        nearest = index.round().long().clamp_(0, self.num_bins - 1).unsqueeze(0)
        whole = index.unsqueeze(0)
        # NaN stays NaN.
        return Shares(nearest, torch.ones_like(whole) + 0 * whole, torch.zeros_like(whole))
