"""Cut targets: the bug that bitfold exists to prevent, planted for whoever wants to watch it."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.soft_assignment.targets import Shares, Targets


@final
@dataclass(frozen=True)
class CutTargets(Targets):
    """Put a weight in its nearest bin, and give the network no gradient.

    K has the value that it has with rounded targets, and the predictor learns. A bin is an integer,
    and no gradient passes an integer. So K never reaches the network: the bug of the seed program.

    Bias: the slope is 0, whatever the true one is. Variance: none.

    Args:
        num_bins: at least 2.

    Example:
        >>> bins, shares, slopes = CutTargets(256).shares(torch.tensor([99.75]))
        >>> bins.tolist(), shares.tolist(), slopes.tolist()
        ([[100]], [[1.0]], [[0.0]])
    """

    option_name = "cut"
    option_rank = 5
    is_planted_bug = True

    num_bins: int

    @property
    def window(self) -> int:
        """The nearest bin."""
        return 1

    def shares(self, index: Tensor) -> Shares:
        """All of a weight in its nearest bin; NaN gives NaN shares."""
        bins = index.round().long().clamp_(0, self.num_bins - 1)  # the gradient ends here
        whole = torch.ones_like(index) + 0 * index
        return Shares(bins.unsqueeze(0), whole.unsqueeze(0), torch.zeros_like(index).unsqueeze(0))
