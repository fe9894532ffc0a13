"""Code lengths: the cost of a weight under the predictor's outputs, by kind."""

import abc
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from bitfold.entropy_coding.precision import FLOAT_BITS
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.sums.cross_entropy import bin_nats, summed_cross_entropy
from bitfold.kolmogorov.sums.kinks import magnitude
from bitfold.kolmogorov.sums.prediction import Prediction

# This share of the probability is spread evenly over all bins, so that every bin can be coded. With
# 256 bins none has less than 2^-24, the usual resolution of an entropy coder's table.
EVEN_SHARE = 2.0**-16


class CodeLength(abc.ABC):
    """Turns a predictor's outputs into the cost of a weight.

    A code length knows the grid. The escape of weights out of range is not part of it.

    Args:
        bins: the grid.
    """

    num_outputs: int
    """Number of outputs that the predictor gives for each weight."""

    side_bits: int = 0
    """Bits that a decoder needs beside the predictor's parameters."""

    def __init__(self, bins: Bins) -> None:
        self.bins = bins

    @abc.abstractmethod
    def summed_nats(self, weights: Tensor, prediction: Prediction, targets: Targets) -> Tensor:
        """The smooth cost of all weights together, with its graph.

        Args:
            weights: floating (N,), within the range.
            prediction: of N weights.
            targets: how a weight is shared among bins.

        Returns:
            Nats (`mse`: squared units of weight), 0-d.
        """

    @abc.abstractmethod
    def bin_nats(self, indices: Tensor, prediction: Prediction) -> Tensor:
        """The cost of coding given bins; no gradient.

        Args:
            indices: int64 (N,), bins.
            prediction: of N weights.

        Returns:
            Nats (N,).
        """


class CrossEntropy(CodeLength):
    """A distribution over bins: cross-entropy with the weight's shares in them.

    Source: the seed program's loss.

    Args:
        bins: the grid.
    """

    def __init__(self, bins: Bins) -> None:
        super().__init__(bins)
        self.num_outputs = bins.num_bins

    def summed_nats(self, weights: Tensor, prediction: Prediction, targets: Targets) -> Tensor:
        """Sum of logsumexp(logits) - sum over bins of share * logit."""
        return summed_cross_entropy(weights, prediction, self.bins, targets)

    def bin_nats(self, indices: Tensor, prediction: Prediction) -> Tensor:
        """-ln softmax(logits) at the bin."""
        return bin_nats(indices, prediction)


class SquaredError(CodeLength):
    """A value: the squared difference in the weights' own units, which is no code length.

    Its bits are those of a Gaussian around the value. The variance is the mean squared residual of
    the coded bins, which the decoder gets as one float32.

    Source: the seed program's ``mse``.
    """

    num_outputs = 1
    side_bits = FLOAT_BITS

    def summed_nats(self, weights: Tensor, prediction: Prediction, targets: Targets) -> Tensor:
        """Sum of (weight - value)^2."""
        return (weights - prediction.outputs().squeeze(1)).square().sum()

    def bin_nats(self, indices: Tensor, prediction: Prediction) -> Tensor:
        """-ln of the bin's mass under the Gaussian of the residual variance."""
        location = prediction.outputs().squeeze(1)
        residuals = self.bins.centres(indices, location.dtype) - location
        variance = residuals.square().mean().to(torch.float32).to(location.dtype)
        scale = variance.sqrt().clamp(min=self.bins.width / 2)
        return -_log_mass(indices, location, scale, self.bins, torch.special.ndtr)


class GaussianDensity(CodeLength):
    """Mean and log-variance: minus the logarithm of the density times the width of a bin.

    The variance is exp(log-variance) + (width / 2)^2, so that the scale is at least half a bin and
    the cost is above 0. Unlike a clamp, the sum never loses its gradient. Density times width is
    the bin's probability up to the density's curvature over the bin. At the smallest scale, with
    the weight at the mean, it is 0.80 for a true 0.68 (0.23 bits too short); at a scale of two bins
    it is 1.0 % too large.

    Source: C. E. Shannon, 1948, section 20, for density times width.
    """

    num_outputs = 2

    def summed_nats(self, weights: Tensor, prediction: Prediction, targets: Targets) -> Tensor:
        """Sum of ln(2 pi variance) / 2 + (weight - mean)^2 / (2 variance) - ln(width)."""
        mean, log_variance = self._parameters(prediction)
        squares = (weights - mean).square() * torch.exp(-log_variance)
        constant = math.log(2 * math.pi) / 2 - math.log(self.bins.width)
        return (log_variance + squares).sum() / 2 + len(weights) * constant

    def bin_nats(self, indices: Tensor, prediction: Prediction) -> Tensor:
        """-ln of the bin's mass under the Gaussian."""
        mean, log_variance = self._parameters(prediction)
        scale = torch.exp(log_variance / 2)
        return -_log_mass(indices, mean, scale, self.bins, torch.special.ndtr)

    def _parameters(self, prediction: Prediction) -> tuple[Tensor, Tensor]:
        mean, raw = prediction.outputs().unbind(1)
        return mean, torch.logaddexp(raw, raw.new_full((), 2 * math.log(self.bins.width / 2)))


class LaplacianDensity(CodeLength):
    """Location and log-scale: minus the logarithm of the density times the width of a bin.

    The scale is exp(log-scale) + width / 2. Density times width is the bin's probability up to the
    density's curvature over the bin. At the smallest scale, with the weight at the location, it is
    1.00 for a true 0.63 (0.66 bits too short); at a scale of two bins it is 13 % too large, and
    bins away from the location come out 0.015 bits too long.

    Source: C. E. Shannon, 1948, section 20, for density times width.
    """

    num_outputs = 2

    def summed_nats(self, weights: Tensor, prediction: Prediction, targets: Targets) -> Tensor:
        """Sum of ln(2 scale) + abs(weight - location) / scale - ln(width)."""
        location, log_scale = self._parameters(prediction)
        distances = magnitude(weights - location) * torch.exp(-log_scale)
        constant = math.log(2) - math.log(self.bins.width)
        return (log_scale + distances).sum() + len(weights) * constant

    def bin_nats(self, indices: Tensor, prediction: Prediction) -> Tensor:
        """-ln of the bin's mass under the Laplacian."""
        location, log_scale = self._parameters(prediction)
        return -_log_mass(indices, location, torch.exp(log_scale), self.bins, _laplacian_cdf)

    def _parameters(self, prediction: Prediction) -> tuple[Tensor, Tensor]:
        location, raw = prediction.outputs().unbind(1)
        return location, torch.logaddexp(raw, raw.new_full((), math.log(self.bins.width / 2)))


KINDS: Mapping[str, Callable[[Bins], CodeLength]] = MappingProxyType(
    {
        "cross_entropy": CrossEntropy,
        "mse": SquaredError,
        "gaussian_nll": GaussianDensity,
        "laplacian_nll": LaplacianDensity,
    }
)
"""Classes of code lengths, by the name of their kind."""


def _laplacian_cdf(z: Tensor) -> Tensor:
    half = torch.exp(-z.abs()) / 2
    return torch.where(z <= 0, half, 1 - half)


def _log_mass(
    indices: Tensor,
    location: Tensor,
    scale: Tensor,
    bins: Bins,
    cdf: Callable[[Tensor], Tensor],
) -> Tensor:
    """Logarithm of the probability of bins under a distribution symmetric about its location.

    The first and the last bin hold the tails beyond them, so that the masses add up to 1. The
    EVEN_SHARE then keeps each mass above 0.
    """
    offset = bins.centres(indices, location.dtype) - location
    lower = ((offset - bins.width / 2) / scale).masked_fill(indices == 0, -math.inf)
    upper = ((offset + bins.width / 2) / scale).masked_fill(indices == bins.num_bins - 1, math.inf)
    # Mirrored to below the location, where differences of a CDF do not cancel.
    mirrored = lower + upper > 0
    high = torch.where(mirrored, -lower, upper)
    low = torch.where(mirrored, -upper, lower)
    mass = cdf(high) - cdf(low)
    return torch.log((1 - EVEN_SHARE) * mass + EVEN_SHARE / bins.num_bins)
