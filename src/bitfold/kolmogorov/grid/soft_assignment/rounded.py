"""Rounded targets: the nearest bin, with the slope of linear targets."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.soft_assignment.linear import LinearTargets
from bitfold.kolmogorov.grid.soft_assignment.targets import NEAREST, Shares, Sharing, Targets


@final
@dataclass(frozen=True)
class RoundedTargets(Targets):
    """Put a weight in its nearest bin, with the slope that linear targets have.

    The weight costs what its bin costs in the file, so the predictor learns from the weights that
    are sent. The weight itself gets the true slope.

    Bias: none in the value. The slope is that of another cost, C's linear interpolation, because
    the value is flat within a bin. Variance: none.

    Source: straight-through gradients (Bengio, Leonard & Courville 2013).

    Args:
        num_bins: at least 2.

    Example:
        >>> bins, shares, slopes = RoundedTargets(256).shares(torch.tensor([99.75]))
        >>> bins.squeeze(1).tolist(), shares.squeeze(1).tolist(), slopes.squeeze(1).tolist()
        ([99, 100], [0.0, 1.0], [-1.0, 1.0])
    """

    option_name = "rounded"
    option_rank = 3
    needs_rounded_task = True

    num_bins: int

    @property
    def window(self) -> int:
        """The two nearest bins."""
        return 2

    @property
    def sharing(self) -> Sharing:
        """Compiled loops round."""
        return NEAREST

    def shares(self, index: Tensor) -> Shares:
        """1 for the nearest bin, 0 for the other one; NaN gives NaN shares in valid bins."""
        bins, _, slopes = LinearTargets(self.num_bins).shares(index)
        share = index.round() - bins[0]
        return Shares(bins, torch.stack([1 - share, share]), slopes)
