"""The escape code of a weight outside the range of the bins, and its cost."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bitfold.kolmogorov.grid.bins import Bins


def confine(weights: Tensor, bins: Bins) -> tuple[Tensor, Tensor]:
    """Clamp weights to the range, and compute the smooth cost of the overshoot.

    The cost is 2 ln(1 + d) nats for a weight d bins beyond the range. That is the length of the
    escape code (see `escape_bits`), without rounding to whole numbers and without the one bit that
    weights in an edge bin pay: Elias's gamma code of d + 1 takes 2 floor(log2(d + 1)) bits more
    than that of 1, and 2 ln(1 + d) nats are 2 log2(d + 1) bits. The cost is 0 in range, continuous
    at the edge, and unbounded. Its slope by the weight, 2 / (width + overshoot) outwards, pulls the
    weight back.

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
    """`confine` as one node of the graph, with its gradients in closed form."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, bins: Bins) -> tuple[Tensor, Tensor]:
        clamped = bins.clamp(weights)
        # The quotient may overflow; its logarithm may not.
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
    """The number of bins between the edge bin and each weight's nearest value on the grid.

    Args:
        weights: floating, any shape; float64 keeps the count exact up to 2^53 bins.
        bins: the grid; its values continue beyond the range.

    Returns:
        Same shape and dtype, whole numbers >= 0; 0 up to half a bin beyond the range; NaN for NaN.
    """
    overshoot = ((weights - bins.clamp(weights)).abs() / bins.width).round()
    return overshoot.clamp(max=torch.finfo(weights.dtype).max)


def escape_bits(weights: Tensor, bins: Bins) -> Tensor:
    """Length of the escape code of each weight.

    A weight whose nearest bin is the first or the last is followed by the gamma code of d + 1,
    where d is its `overshoot_bins`: floor(log2(d + 1)) zeros, then d + 1 in binary, which starts
    with a one. That is 1 bit for a weight in an edge bin, 3 bits for 1 or 2 bins beyond, and so on.
    The edge bin gives the side. All other weights have no escape code.

    Source: P. Elias, 1975, Universal codeword sets, gamma code.

    Args:
        weights: floating, any shape.
        bins: the grid.

    Returns:
        Bits, same shape and dtype; NaN where the weight is not finite.
    """
    overshoot = overshoot_bins(weights, bins)
    # From 2 / eps on all numbers are even. Adding 1 then leaves the exponent as it is, but might
    # round up to a power of two.
    is_exact = overshoot < 2 / torch.finfo(weights.dtype).eps
    exponent = torch.frexp(overshoot + is_exact.to(weights.dtype)).exponent
    nearest = bins.nearest(weights)
    at_edge = (nearest == 0) | (nearest == bins.num_bins - 1)
    # The fraction of frexp is in [1/2, 1), so floor(log2) is its exponent minus 1.
    length = torch.where(at_edge, 2 * exponent - 1, 0).to(weights.dtype)
    return length + 0 * weights


def decode(indices: Tensor, overshoot: Tensor, bins: Bins) -> Tensor:
    """The weights that a decoder makes of bins and overshoots.

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
    # One product and one sum for every weight, so that the decoder of a model file rounds alike.
    return decoded_index(indices, overshoot) * bins.width + bins.minimum


def decoded_index(indices: Tensor, overshoot: Tensor) -> Tensor:
    """The bins that a decoder gets, which continue beyond the range; see `decode`."""
    return indices + torch.where(indices == 0, -1, 1) * overshoot
