"""The weight predictor: from the position of a weight to the distribution of its value."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.parameters import NUM_COORDINATES

MAX_WIDTH = 4_096
MAX_LAYERS = 32


class Prediction(NamedTuple):
    """What a predictor says of N weights, its last affine layer not yet applied.

    A distribution over bins is weights by bins; left in this form, it can be worked through a chunk
    at a time.

    Attributes:
        hidden: (N, width of the last hidden layer).
        weight: (outputs, width), of the last layer.
        bias: (outputs,), of the last layer.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor

    def outputs(self) -> Tensor:
        """The last layer applied: (N, outputs)."""
        return functional.linear(self.hidden, self.weight, self.bias)


class CoordinatePredictor(nn.Module):
    """A small network from normalised positions to the parameters of a code.

    Source: the seed program's predictor; LeakyReLU with slope 0.01 between affine layers.

    Args:
        shape: widths of the hidden layers, 1 to 32 of them, each 1 to 4,096.
        num_outputs: numbers that describe one weight's distribution, at least 1.
        generator: CPU generator for the initial values, which then leaves the global random state
            alone; None draws from the global one.

    Raises:
        KolmogorovError: if ``shape`` is empty, too long, or has a width out of bounds.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> predictor = CoordinatePredictor((5, 5), 256, generator=generator)
        >>> sum(parameter.numel() for parameter in predictor.parameters())
        1591
        >>> predictor(torch.zeros(3, 4)).outputs().shape
        torch.Size([3, 256])
    """

    def __init__(
        self, shape: Sequence[int], num_outputs: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        _check_shape(shape)
        widths = [NUM_COORDINATES, *shape]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(widths):
            layers += [_affine(fan_in, fan_out, generator), nn.LeakyReLU(0.01)]
        self.trunk = nn.Sequential(*layers)
        self.head = _affine(widths[-1], num_outputs, generator)

    def forward(self, positions: Tensor) -> Prediction:
        """What the predictor says of the weights at these positions: positions (N, 4)."""
        return Prediction(self.trunk(positions), self.head.weight, self.head.bias)


def _check_shape(shape: Sequence[int]) -> None:
    plain = all(isinstance(width, int) and not isinstance(width, bool) for width in shape)
    if plain and 1 <= len(shape) <= MAX_LAYERS and all(1 <= width <= MAX_WIDTH for width in shape):
        return
    raise KolmogorovError(
        f"Cannot make a coordinate predictor: expected a shape of 1 to {MAX_LAYERS} whole numbers "
        f"of 1 to {MAX_WIDTH}, got {str(tuple(shape))[:80]}. Pass for example (5, 5)."
    )


def _affine(fan_in: int, fan_out: int, generator: torch.Generator | None) -> nn.Linear:
    """A linear layer with PyTorch's usual initial values, drawn from ``generator``."""
    # Made without values, so that no other random state is touched.
    layer = nn.Linear(fan_in, fan_out, device="meta", dtype=torch.float32).to_empty(device="cpu")
    bound = 1.0 / math.sqrt(fan_in)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer
