"""How a weight meets its bins: targets of several kinds, and what each of them gives.

Write C(j) for the cost of bin j in nats, c for a weight's continuous index, k = floor(c) and
f = c - k. The *true slope* of the cost at c is that of C between its two nearest bins,
C(k + 1) - C(k).
"""

import abc
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor


class Shares(NamedTuple):
    """How weights are shared among bins; all three are (window, N), a weight in a column.

    A window is short and weights are many: this way round, operations along a window are
    vectorised over weights.

    Attributes:
        bins: int64, distinct within a column.
        shares: the weight's share in that bin; a column adds up to 1.
        slopes: derivative of the share by the continuous index; a column adds up to 0.
    """

    bins: Tensor
    shares: Tensor
    slopes: Tensor


class Targets(abc.ABC):
    """Whatever shares weights among bins."""

    num_bins: int
    """How many bins there are."""

    is_differentiable: bool = True
    """Whether the shares move when a weight moves a little."""

    @property
    @abc.abstractmethod
    def window(self) -> int:
        """How many bins a weight is shared among."""

    @abc.abstractmethod
    def shares(self, index: Tensor) -> Shares:
        """The shares of weights at continuous bin indices ``index`` (N,), 0 to num_bins - 1."""

    def drawn(self, seed: int) -> "Targets":
        """The targets of one call: always the same, unless they are drawn at random.

        Args:
            seed: 0 to 2^63 - 1, of the draw.
        """
        del seed
        return self


@dataclass(frozen=True)
class LinearTargets(Targets):
    """Share a weight between its two nearest bins in proportion: 1 - f in k, f in k + 1.

    Source: stochastic rounding in expectation (Gupta et al. 2015, section 3.1); as a target ours.

    The weight costs C linearly interpolated. Bias: none against a coder that rounds at random in
    these proportions; against rounding to the nearest, C's interpolation minus C at the nearest
    bin, which is 0 on average over f. Variance: none, nothing is drawn. The slope is the true one
    everywhere; on a bin itself it is the one to the right, in the last bin the one to the left.

    Args:
        num_bins: at least 2.

    Example:
        >>> bins, shares, slopes = LinearTargets(256).shares(torch.tensor([99.25]))
        >>> bins.squeeze(1).tolist(), shares.squeeze(1).tolist(), slopes.squeeze(1).tolist()
        ([99, 100], [0.75, 0.25], [-1.0, 1.0])
    """

    num_bins: int

    @property
    def window(self) -> int:
        """The two nearest."""
        return 2

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


@dataclass(frozen=True)
class NoiseTargets(Targets):
    """Share c + u linearly between its two nearest bins, u uniform in -1/2 to 1/2.

    Source: additive uniform noise in place of rounding, Balle, Laparra & Simoncelli 2017, section
    3.2.

    In expectation the weight costs the mean of C, linearly interpolated, over one bin around c, and
    its gradient is that mean's exactly: unbiased. Against the true slope at c it takes
    the next cell's slope with probability abs(f - 1/2): where C is smooth that changes little.
    Variance of the slope: p (1 - p) (s - t)^2, p = abs(f - 1/2) and s, t the slopes of the two
    cells. At the ends of the grid c + u is clipped, and has no slope where it is.

    Args:
        num_bins: at least 2.
        seed: what the noise is drawn from.

    Example:
        >>> drawn = NoiseTargets(256, seed=1).shares(torch.full((20_000,), 99.8))
        >>> drawn.bins.unique().tolist()
        [99, 100, 101]
    """

    num_bins: int
    seed: int = 0
    _generators: dict[torch.device, torch.Generator] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def window(self) -> int:
        """The two nearest of the noisy weight."""
        return 2

    def drawn(self, seed: int) -> "NoiseTargets":
        """The same with noise of its own."""
        return NoiseTargets(self.num_bins, seed)

    def noisy(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The indices with fresh noise; those out of range stay as they are.

        Args:
            index: floating (N,).

        Returns:
            Floating (N,), and whether each moves with its weight, bool (N,): one that is clipped at
            an end of the grid does not.
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
        """Shares of the noisy indices; slopes of 0 where they are clipped."""
        noisy, moves = self.noisy(index)
        bins, shares, slopes = LinearTargets(self.num_bins).shares(noisy)
        return Shares(bins, shares, slopes * moves)


@dataclass(frozen=True)
class RoundedTargets(Targets):
    """The nearest bin alone, with the slope that linear targets have.

    Source: straight-through gradients (Bengio, Leonard & Courville 2013); as a target ours.

    The weight costs what it takes in the file, so that the predictor learns of the weights that
    are sent; the weight itself feels the true slope. Bias: none in the value; the slope is that of
    another cost, C's linear interpolation, as the value has none. Variance: none.

    Args:
        num_bins: at least 2.

    Example:
        >>> bins, shares, slopes = RoundedTargets(256).shares(torch.tensor([99.75]))
        >>> bins.squeeze(1).tolist(), shares.squeeze(1).tolist(), slopes.squeeze(1).tolist()
        ([99, 100], [0.0, 1.0], [-1.0, 1.0])
    """

    num_bins: int

    @property
    def window(self) -> int:
        """The two nearest."""
        return 2

    def shares(self, index: Tensor) -> Shares:
        """1 for the nearest, 0 for the other; NaN gives NaN shares in valid bins."""
        bins, _, slopes = LinearTargets(self.num_bins).shares(index)
        share = index.round() - bins[0]
        return Shares(bins, torch.stack([1 - share, share]), slopes)


@dataclass(frozen=True)
class HardTargets(Targets):
    """The nearest bin alone: what is coded in the end, for evaluation only.

    Source: none; rounding. Bias: none, this is what the weights take in the file, escape codes
    included, but for the rounding of the predictor. Variance: none. It has no slope: a weight that
    moves a little stays in its bin.

    Args:
        num_bins: at least 2.

    Example:
        >>> HardTargets(256).shares(torch.tensor([99.6])).bins.tolist()
        [[100]]
    """

    num_bins: int
    is_differentiable: bool = False

    @property
    def window(self) -> int:
        """The nearest."""
        return 1

    def shares(self, index: Tensor) -> Shares:
        """All of a weight in its nearest bin."""
        nearest = index.round().long().clamp_(0, self.num_bins - 1).unsqueeze(0)
        whole = index.unsqueeze(0)
        # NaN stays NaN.
        return Shares(nearest, torch.ones_like(whole) + 0 * whole, torch.zeros_like(whole))
