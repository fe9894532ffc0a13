"""What it costs to code a weight that lies outside the range of the bins: the escape code."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bitfold.kolmogorov.grid.bins import Bins


def confine(weights: Tensor, bins: Bins) -> tuple[Tensor, Tensor]:
    """Split weights into what lies within the range and the smooth cost of what overshoots it.

    Source: none, ours. The cost is 2 ln(1 + d) nats for a weight d bins beyond the range: the
    length of the escape code (see `escape_bits`) without its rounding to whole numbers and without
    the one bit that weights in an edge bin pay. Elias's gamma code of d + 1 takes
    2 floor(log2(d + 1)) bits more than that of 1, and 2 ln(1 + d) nats are 2 log2(d + 1) bits.
    It is 0 in range, continuous at the edge, and grows without bound; its slope by the weight,
    2 / (width + overshoot) outwards, is what pulls the weight back.

    Args:
        weights: floating (N,).
        bins: the grid.

    Returns:
        The weights clamped to the range, and the cost of each in nats, finite for all finite
        weights: both (N,), and differentiable once.
    """
    # PyTorch leaves Function.apply without types.
    apply: Callable[..., tuple[Tensor, Tensor]] = _Confine.apply
    return apply(weights, bins)


class _Confine(torch.autograd.Function):
    """`confine` in one node of the graph: its gradients are known in closed form."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, bins: Bins) -> tuple[Tensor, Tensor]:
        clamped = bins.clamp(weights)
        # The quotient can exceed the largest number; its logarithm cannot.
        largest = torch.finfo(weights.dtype).max
        overshoot = ((weights - clamped) / bins.width).clamp_(-largest, largest)
        size = overshoot.abs()
        slope = overshoot.sign_().mul_(2 / bins.width).div_(size + 1)
        ctx.save_for_backward(weights == clamped, slope)
        return clamped, size.log1p_().mul_(2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_clamped: Tensor, grad_costs: Tensor) -> tuple[Tensor, None]:
        within, slope = ctx.saved_tensors
        return grad_clamped * within + grad_costs * slope, None


def overshoot_bins(weights: Tensor, bins: Bins) -> Tensor:
    """Whole number of bins by which each weight's nearest grid value lies beyond the edge bin.

    Args:
        weights: floating, any shape; float64 keeps the count exact to 2^53 bins.
        bins: the grid, thought to go on beyond its ends.

    Returns:
        Same shape and dtype, whole numbers >= 0; 0 up to half a bin beyond the range; NaN where
        the weight is.
    """
    overshoot = ((weights - bins.clamp(weights)).abs() / bins.width).round()
    return overshoot.clamp(max=torch.finfo(weights.dtype).max)


def escape_bits(weights: Tensor, bins: Bins) -> Tensor:
    """Length of the escape code of each weight.

    Source: P. Elias, 1975, Universal codeword sets, gamma code.

    A weight whose nearest bin is the first or the last is followed by the gamma code of d + 1,
    where d is its `overshoot_bins`: floor(log2(d + 1)) zeros, then d + 1 in binary, which
    starts with a one. That is 1 bit for every weight that merely lies in an edge bin, 3 bits for 1
    or 2 bins beyond, and so on. The side is the bin's own. All other weights have no escape code.

    Args:
        weights: floating, any shape.
        bins: the grid.

    Returns:
        Bits, same shape and dtype; NaN where the weight is not finite.
    """
    overshoot = overshoot_bins(weights, bins)
    # From 2 / eps on, numbers are even: adding 1 changes no power of two but might round up to one.
    exact = overshoot < 2 / torch.finfo(weights.dtype).eps
    exponent = torch.frexp(overshoot + exact.to(weights.dtype)).exponent
    nearest = bins.nearest(weights)
    at_edge = (nearest == 0) | (nearest == bins.num_bins - 1)
    # frexp's fraction is in [1/2, 1): floor(log2) is one less than its exponent.
    length = torch.where(at_edge, 2 * exponent - 1, 0).to(weights.dtype)
    return length + 0 * weights


def decode(indices: Tensor, overshoot: Tensor, bins: Bins) -> Tensor:
    """The weights that a decoder gets from bins and overshoots.

    Args:
        indices: int64, bins.
        overshoot: floating, same shape, whole numbers of bins; 0 except in the edge bins.
        bins: the grid.

    Returns:
        Weights, same shape, dtype of ``overshoot``.

    Example:
        >>> bins = Bins(7, -3.0, 3.0)
        >>> weights = torch.tensor([-5.2, 0.4, 9.0], dtype=torch.float64)
        >>> decode(bins.nearest(weights), overshoot_bins(weights, bins), bins)
        tensor([-5.,  0.,  9.], dtype=torch.float64)
        >>> escape_bits(weights, bins)
        tensor([3., 0., 5.], dtype=torch.float64)
    """
    # One product and one sum, however far out: a model file's decoder rounds the same.
    return decoded_index(indices, overshoot) * bins.width + bins.minimum


def decoded_index(indices: Tensor, overshoot: Tensor) -> Tensor:
    """The bins that a decoder gets, thought to go on beyond the ends; see `decode`."""
    return indices + torch.where(indices == 0, -1, 1) * overshoot
