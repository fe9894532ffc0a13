"""Probabilities of bins under a Laplace or logistic distribution, as exact logarithms.

Everything is measured in bins. The first and last bin hold the tails beyond them, so that the
masses of all bins add up to 1; no mass is rounded to 0, however far out, so every cost keeps its
slope.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

LogMass = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def log_mass_laplace(distance: Tensor, scale: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Logarithm of a bin's mass under the Laplace distribution.

    Source: differences of its distribution function, worked out by hand: with l and h the bin's
    edges nearer to and farther from the location, over the scale, exp(-l) (1 - exp(-1/scale)) / 2
    if the location lies outside of the bin, else 1 - exp(l) / 2 - exp(-h) / 2.

    Args:
        distance: floating, of the bin's centre from the location.
        scale: same shape or one that broadcasts, > 0.
        first: bool, where the bin is the first, which reaches down without end.
        last: bool, where it is the last.

    Returns:
        Same shape, at most 0.
    """
    ln2 = 0.6931471805599453
    size = distance.abs()
    low, high = (size - 0.5) / scale, (size + 0.5) / scale
    # Either branch is finite, with a finite slope, on the other's side too.
    beside = -ln2 - low.clamp(min=0) + torch.log(-torch.expm1(-1 / scale))
    around = torch.log(-0.5 * (torch.expm1(low.clamp(max=0)) + torch.expm1(-high)))
    inner = torch.where(low >= 0, beside, around)
    edge = torch.where(first, -distance, distance)
    low = (edge - 0.5) / scale
    tail = torch.where(
        low >= 0, -ln2 - low.clamp(min=0), torch.log1p(-0.5 * torch.exp(low.clamp(max=0)))
    )
    return torch.where(first | last, tail, inner)


def log_mass_logistic(distance: Tensor, scale: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Logarithm of a bin's mass under the logistic distribution.

    Source: s(h) - s(l) = s(h) s(-l) (1 - exp(l - h)) for the logistic function s, by hand.

    Args and Returns as `log_mass_laplace`.
    """
    above = logsigmoid((0.5 - distance) / scale)  # of all beyond the bin's lower edge
    below = logsigmoid((0.5 + distance) / scale)  # of all up to its upper edge
    inner = above + below + torch.log(-torch.expm1(-1 / scale))
    return torch.where(first, below, torch.where(last, above, inner))


DISTRIBUTIONS: Mapping[str, LogMass] = MappingProxyType(
    {"laplace": log_mass_laplace, "logistic": log_mass_logistic}
)
"""Logarithms of masses, by the name of the distribution."""
