"""Small networks for the tests of the sampled engine."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

# Coordinates in steps of 1/64 from -0.5 on, exact in float32.
AXIS = np.arange(64) / 64 - 0.5

ActivationFactory = Callable[[], nn.Module]


def network(
    widths: list[int], activation: ActivationFactory = nn.LeakyReLU, seed: int = 0
) -> nn.Sequential:
    """Build a random network of two inputs; the last of widths is the number of outputs."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip([2, *widths], widths, strict=False):
        layer = nn.Linear(fan_in, fan_out)
        nn.init.normal_(layer.weight, 0, (2 / fan_in) ** 0.5, generator=generator)
        nn.init.normal_(layer.bias, 0, 0.1, generator=generator)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def affine(weights: list[list[float]], biases: list[float]) -> nn.Linear:
    """Build an affine layer of given weights."""
    layer = nn.Linear(len(weights[0]), len(biases))
    layer.load_state_dict({"weight": torch.tensor(weights), "bias": torch.tensor(biases)})
    return layer
