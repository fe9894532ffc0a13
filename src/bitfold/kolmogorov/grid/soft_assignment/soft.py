"""Soft targets: a softmax over the bins around a weight."""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.grid.soft_assignment.targets import Shares, Sharing, Targets

# The window may leave out this share of a soft target.
MASS_LEFT_OUT = 1e-9
# Slopes go up to 1 / temperature. Below this temperature they are 0 for almost all weights.
MIN_TEMPERATURE = 1e-6


@final
@dataclass(frozen=True)
class SoftTargets(Targets):
    """Share a weight at continuous index c among bins j as softmax of -abs(c - j) / T.

    Bias: where C is a straight line, the slope is the true one times
    coth(1 / 2T) / (2T cosh^2((f - 1/2) / T)), f = c - floor(c). For T = 0.1 this factor is 5
    halfway between two bins and 0.001 on a bin; for T = 0.5 it is 1.31 and 0.55; for T = 1 it is
    1.08 and 0.85. Its mean over f is 1. The value counts more distant bins too, the more the larger
    T is. Variance: none, nothing is drawn.

    The window. Let r = exp(-1/T), and take the m nearest bins on each side: from
    floor(c) - m + 1 to floor(c) + m. With M bins on the right of c, at distances
    1 - f, 2 - f, ..., their terms add up to r^(1-f) (1 - r^M) / (1 - r). The terms outside the
    window, from the (m+1)-th on, add up to r^(1-f) (r^m - r^M) / (1 - r) if M > m and to 0
    otherwise. That is at most r^m times the sum of the side, because
    r^m - r^M <= r^m (1 - r^M). The left side is the same with f in place of 1 - f. Hence the
    window leaves out at most r^m = exp(-m/T) of the whole mass, wherever c lies and wherever the
    grid ends. m = ceil(T ln 1e9) leaves out at most 1e-9: a window of 6 bins for T = 0.1.

    At the ends of the grid the window is shifted inwards, not cut: it keeps its size and still
    holds every bin that the argument needs. If 2m is at least the number of bins, the window is all
    bins, and the shares are the softmax itself.

    Source: the softmax over all bins is the seed program's.

    Args:
        temperature: T, in bins, at least 1e-6.
        num_bins: at least 2.

    Raises:
        KolmogorovError: if the temperature is not finite or below 1e-6.

    Example:
        >>> targets = SoftTargets(temperature=0.1, num_bins=256)
        >>> targets.window
        6
        >>> bins, shares, _ = targets.shares(torch.tensor([99.5]))
        >>> bins.squeeze(1)
        tensor([ 97,  98,  99, 100, 101, 102])
        >>> [round(share, 4) for share in shares.squeeze(1).tolist()]
        [0.0, 0.0, 0.5, 0.5, 0.0, 0.0]
    """

    option_name = "soft"
    option_rank = 0

    temperature: float
    num_bins: int

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    @classmethod
    def from_options(cls, num_bins: int, temperature: float) -> "SoftTargets":
        """Soft targets take the temperature too."""
        return cls(temperature, num_bins)

    @property
    def sharing(self) -> Sharing:
        """Compiled loops take a softmax."""
        return Sharing("softmax", self.temperature)

    @property
    def reach(self) -> int:
        """Number of bins that the window holds on each side: m of the derivation."""
        reach = self.temperature * -math.log(MASS_LEFT_OUT)
        return self.num_bins if reach >= self.num_bins else math.ceil(reach)

    @property
    def window(self) -> int:
        """Number of bins that the window holds."""
        return min(2 * self.reach, self.num_bins)

    def shares(self, index: Tensor) -> Shares:
        """The shares of weights in the bins of their windows.

        Args:
            index: floating (N,), continuous bin indices, 0 to num_bins - 1. NaN gives NaN shares
                in valid bins.

        Returns:
            Bins, shares and slopes, (window, N) each, dtype of ``index``.
        """
        first = index.floor().long() - (self.reach - 1)
        # Clamped as an integer, so that even NaN points at bins that exist.
        first = first.clamp_(0, self.num_bins - self.window)
        bins = first + torch.arange(self.window, device=index.device).unsqueeze(1)
        distance = index - bins
        shares = torch.softmax(distance.abs() / -self.temperature, dim=0)
        pulls = distance.sign_().div_(-self.temperature)
        slopes = shares * (pulls - (shares * pulls).sum(dim=0))
        return Shares(bins, shares, slopes)


def check_temperature(temperature: float) -> None:
    """Check the temperature of soft targets.

    Raises:
        KolmogorovError: if it is not finite or below 1e-6 bins.
    """
    if not (math.isfinite(temperature) and temperature >= MIN_TEMPERATURE):
        raise KolmogorovError(
            f"Cannot make soft targets: expected a finite temperature > 0 (at least "
            f"{MIN_TEMPERATURE:g} bins), got {temperature}. Pass for example 0.1."
        )
