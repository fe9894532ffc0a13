"""Activations by name, and the gain of He initialisation for each."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn

from bitfold.errors import ConfigError

LEAKY_SLOPE: Final = 0.01

ActivationFactory = Callable[[], nn.Module]


class Abs(nn.Module):
    """The absolute value, element by element: a fold with slopes -1 and 1.

    >>> Abs()(torch.tensor([-2.0, 3.0]))
    tensor([2., 3.])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Take the absolute value of each element."""
        return torch.abs(inputs)


class Sine(nn.Module):
    """The sine, element by element.

    Source: Sitzmann et al. 2020, "Implicit neural representations with periodic activation
    functions", here without their frequency factor and initialisation.

    >>> Sine()(torch.zeros(2))
    tensor([0., 0.])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Take the sine of each element."""
        return torch.sin(inputs)


def _leaky_relu() -> nn.Module:
    return nn.LeakyReLU(LEAKY_SLOPE)


# Each call of a factory returns a new module.
ACTIVATIONS: Final[Mapping[str, ActivationFactory]] = MappingProxyType(
    {
        "leaky_relu": _leaky_relu,
        "relu": nn.ReLU,
        "abs": Abs,
        "tanh": nn.Tanh,
        "gelu": nn.GELU,
        "sine": Sine,
    }
)

FINAL_ACTIVATIONS: Final[Mapping[str, ActivationFactory]] = MappingProxyType(
    {
        "none": nn.Identity,
        "relu": nn.ReLU,
        "leaky_relu": _leaky_relu,
        "sigmoid": nn.Sigmoid,
    }
)

#: For compiled loops: the slope of sums up to 0, or from 2 on the code of a curve.
ACTIVATION_CODES: Final[Mapping[str, float]] = MappingProxyType(
    {
        "none": 1.0,
        "relu": 0.0,
        "leaky_relu": LEAKY_SLOPE,
        "abs": 2.0,
        "tanh": 3.0,
        "gelu": 4.0,
        "sine": 5.0,
        "sigmoid": 6.0,
    }
)

# E[f(z)^2] for a standard normal z.
_SECOND_MOMENTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "leaky_relu": (1 + LEAKY_SLOPE**2) / 2,
        "relu": 1 / 2,
        "abs": 1.0,
        "tanh": 0.394294,  # no closed form; numerical integration
        "gelu": 1 / 3 + 1 / (2 * math.pi * math.sqrt(3)),
        "sine": (1 - math.exp(-2)) / 2,
    }
)


def activation_gain(name: str) -> float:
    """Return the gain g for which weights of deviation g / sqrt(fan_in) preserve the variance.

    Source: He, Zhang, Ren and Sun 2015, "Delving deep into rectifiers", section 2.2:
    g^2 E[f(z)^2] = 1 for a standard normal z. For a kink with slopes a and 1 this gives
    g = sqrt(2 / (1 + a^2)), as in the paper; smooth activations use the same condition.

    Args:
        name: one of ACTIVATIONS.

    Returns:
        The gain, positive and without a unit.

    Raises:
        ConfigError: if no activation has this name.

    >>> activation_gain("abs"), round(activation_gain("relu") ** 2, 12)
    (1.0, 2.0)
    """
    if name not in _SECOND_MOMENTS:
        raise unknown_activation("activation", name, ACTIVATIONS)
    return 1 / math.sqrt(_SECOND_MOMENTS[name])


def unknown_activation(
    kind: str, name: object, known: Mapping[str, ActivationFactory]
) -> ConfigError:
    """Return the error for an unknown name of an activation.

    >>> print(unknown_activation("activation", "selu", {"relu": nn.ReLU}))
    Cannot use activation 'selu': expected one of relu. Choose one of these.
    """
    return ConfigError(
        f"Cannot use {kind} {name!r}: expected one of {', '.join(known)}. Choose one of these."
    )
