"""Noise targets: a weight with uniform noise, shared between its two nearest bins."""

from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from bitfold.kolmogorov.grid.soft_assignment.linear import LinearTargets
from bitfold.kolmogorov.grid.soft_assignment.targets import LINEAR, Shares, Sharing, Targets


@final
@dataclass(frozen=True)
class NoiseTargets(Targets):
    """Share c + u linearly between its two nearest bins, u uniform in -1/2 to 1/2.

    In expectation the weight costs the mean of C, interpolated linearly, over one bin around c. Its
    gradient is exactly the gradient of that mean.

    Bias: none against that mean. Against the true slope at c, the noise takes the slope of the next
    cell with probability abs(f - 1/2), which changes little where C is smooth.
    Variance of the slope: p (1 - p) (s - t)^2 with p = abs(f - 1/2) and s, t the slopes of the two
    cells. At the ends of the grid c + u is clipped; a clipped weight has no slope.

    Source: additive uniform noise in place of rounding, Balle, Laparra & Simoncelli 2017, section
    3.2.

    Args:
        num_bins: at least 2.
        seed: of the noise.

    Example:
        >>> drawn = NoiseTargets(256, seed=1).shares(torch.full((20_000,), 99.8))
        >>> drawn.bins.unique().tolist()
        [99, 100, 101]
    """

    option_name = "noise"
    option_rank = 2
    is_random = True
    # A weight of 0 would pay for the noise that takes it half-way to the next bin.
    suits_rounded_task = False

    num_bins: int
    seed: int = 0
    _generators: dict[torch.device, torch.Generator] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def window(self) -> int:
        """The two bins nearest to the noisy weight."""
        return 2

    @property
    def sharing(self) -> Sharing:
        """Compiled loops share the perturbed indices linearly."""
        return LINEAR

    def with_seed(self, seed: int) -> "NoiseTargets":
        """The same targets with other noise."""
        return NoiseTargets(self.num_bins, seed)

    def perturb(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Add fresh noise to indices; indices out of range stay as they are.

        Args:
            index: floating (N,).

        Returns:
            Floating (N,), and whether each index moves with its weight, bool (N,). An index that is
            clipped at an end of the grid does not.
        """
        device = index.device
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self.seed)
        noise = torch.rand(
            index.shape, generator=self._generators[device], device=device, dtype=index.dtype
        )
        last = self.num_bins - 1
        with_noise = index + (noise - 0.5)
        clipped = with_noise.clamp(0, last)
        is_outside = (index < 0) | (index > last)
        return torch.where(is_outside, index, clipped), is_outside | (clipped == with_noise)

    def shares(self, index: Tensor) -> Shares:
        """Shares of the noisy indices; slopes are 0 where the index is clipped."""
        noisy, moves = self.perturb(index)
        bins, shares, slopes = LinearTargets(self.num_bins).shares(noisy)
        return Shares(bins, shares, slopes * moves)
