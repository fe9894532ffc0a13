"""Probabilities of bins under a Laplace or logistic distribution, as exact logarithms.

All lengths are in bins. The first and last bin hold the tails beyond them, so that the masses of
all bins add up to 1. No mass is rounded to 0, even far out, so every cost keeps its slope.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from bitfold.kolmogorov.sums.kinks import at_least, at_most, magnitude

LogMass = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def log_mass_laplace(distance: Tensor, scale: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Logarithm of a bin's mass under the Laplace distribution.

    The mass is a difference of the distribution function. Let l and h be the distances from the
    location to the bin's nearer and farther edge, over the scale. The mass is
    exp(-l) (1 - exp(-1/scale)) / 2 if the location lies outside of the bin, and otherwise
    1 - exp(l) / 2 - exp(-h) / 2.

    Args:
        distance: floating, from the location to the bin's centre.
        scale: > 0, of a shape that broadcasts.
        first: bool, whether the bin is the first, which extends to minus infinity.
        last: bool, whether the bin is the last, which extends to infinity.

    Returns:
        Same shape, at most 0.
    """
    ln2 = 0.6931471805599453
    size = magnitude(distance)
    low, high = (size - 0.5) / scale, (size + 0.5) / scale
    # Both branches are finite and have finite slopes everywhere, as autograd needs with `where`.
    beside = -ln2 - at_least(low, 0.0) + torch.log(-torch.expm1(-1 / scale))
    around = torch.log(-0.5 * (torch.expm1(at_most(low, 0.0)) + torch.expm1(-high)))
    inner = torch.where(low >= 0, beside, around)
    edge = torch.where(first, -distance, distance)
    low = (edge - 0.5) / scale
    tail = torch.where(
        low >= 0, -ln2 - at_least(low, 0.0), torch.log1p(-0.5 * torch.exp(at_most(low, 0.0)))
    )
    return torch.where(first | last, tail, inner)


def log_mass_logistic(distance: Tensor, scale: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Logarithm of a bin's mass under the logistic distribution.

    Uses s(h) - s(l) = s(h) s(-l) (1 - exp(l - h)) for the logistic function s.

    Args and Returns as `log_mass_laplace`.
    """
    above = logsigmoid((0.5 - distance) / scale)  # mass above the bin's lower edge
    below = logsigmoid((0.5 + distance) / scale)  # mass below its upper edge
    inner = above + below + torch.log(-torch.expm1(-1 / scale))
    return torch.where(first, below, torch.where(last, above, inner))


DISTRIBUTIONS: Mapping[str, LogMass] = MappingProxyType(
    {"laplace": log_mass_laplace, "logistic": log_mass_logistic}
)
"""The logarithm of a bin's mass, by the name of the distribution."""
