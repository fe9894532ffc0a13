"""Linear targets: a weight shared between its two nearest bins in proportion."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.soft_assignment.targets import LINEAR, Shares, Sharing, Targets


@final
@dataclass(frozen=True)
class LinearTargets(Targets):
    """Share a weight between its two nearest bins in proportion: 1 - f in k, f in k + 1.

    The weight costs C interpolated linearly.

    Bias: none against a coder that rounds at random in these proportions. Against rounding to the
    nearest bin, C's interpolation minus C at the nearest bin, which is 0 on average over f.
    Variance: none, nothing is drawn. The slope is the true one everywhere. On a bin itself it is
    the slope to the right, in the last bin the slope to the left.

    Source: stochastic rounding in expectation (Gupta et al. 2015, section 3.1).

    Args:
        num_bins: at least 2.

    Example:
        >>> bins, shares, slopes = LinearTargets(256).shares(torch.tensor([99.25]))
        >>> bins.squeeze(1).tolist(), shares.squeeze(1).tolist(), slopes.squeeze(1).tolist()
        ([99, 100], [0.75, 0.25], [-1.0, 1.0])
    """

    option_name = "linear"
    option_rank = 1

    num_bins: int

    @property
    def window(self) -> int:
        """The two nearest bins."""
        return 2

    @property
    def sharing(self) -> Sharing:
        """Compiled loops share linearly."""
        return LINEAR

    def shares(self, index: Tensor) -> Shares:
        """1 - f and f; NaN gives NaN shares in valid bins."""
        first = index.floor().long().clamp_(0, self.num_bins - 2)
        share = index - first
        one = torch.ones_like(index)
        return Shares(
            torch.stack([first, first + 1]),
            torch.stack([1 - share, share]),
            torch.stack([-one, one]),
        )
