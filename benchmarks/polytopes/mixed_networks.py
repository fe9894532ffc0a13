"""Random networks of mixed kinds, with coinciding folds and zeros, to cut into polytopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import bitfold

ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ReLU6,
    nn.Hardtanh,
)
# The side of an image, and the rounding of weights, which makes folds coincide and weights vanish.
_SIDE, _ROUNDED_SHARE = 6, 0.2


class Mixed(NamedTuple):
    """A network, and the domain in which it is cut.

    Attributes:
        kind: its name.
        network: in evaluation mode.
        domain: two corners.
        plane: among the inputs; None for two of them.
    """

    kind: str
    network: nn.Module
    domain: tuple[tuple[float, float], tuple[float, float]]
    plane: bitfold.Plane | None


class Residual(nn.Module):
    """A block that adds a layer's output to its input."""

    def __init__(self, width: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.layer, self.activation = nn.Linear(width, width), activation()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        found: Tensor = x + self.activation(self.layer(x))
        return found


class Maxout(nn.Module):
    """The largest of each three outputs of a layer."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.layer = nn.Linear(fan_in, 3 * fan_out)

    def forward(self, x: Tensor) -> Tensor:
        """Return the maxima."""
        found: Tensor = self.layer(x).unflatten(1, (-1, 3)).amax(2)
        return found


def mixed_network(seed: int) -> Mixed:
    """Return the network of a seed: dense, residual, maxout or convolutional."""
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    activation = ACTIVATIONS[seed // 4 % len(ACTIVATIONS)]
    kind = ("dense", "residual", "maxout", "convolutional")[seed % 4]
    network = _BUILDERS[kind](generator, activation).eval()
    with torch.no_grad():
        for item in network.parameters():
            if generator.random() < _ROUNDED_SHARE:
                item.copy_((2 * item).round() / 2)
    size = float(generator.choice([0.5, 3.0, 100.0]))
    plane = None
    if kind == "convolutional":
        size = min(size, 3.0)
        plane = bitfold.Plane(*torch.randn(3, 1, _SIDE, _SIDE))
    return Mixed(f"{kind}, {activation.__name__}", network, ((-size, -size), (size, size)), plane)


def _dense(generator: np.random.Generator, activation: Callable[[], nn.Module]) -> nn.Module:
    widths = generator.integers(1, 14, generator.integers(1, 6)).tolist()
    parts: list[nn.Module] = []
    for fan_in, fan_out in zip([2, *widths], widths, strict=False):
        parts += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*parts, nn.Linear(widths[-1], int(generator.integers(1, 5))))


def _residual(generator: np.random.Generator, activation: Callable[[], nn.Module]) -> nn.Module:
    width = int(generator.integers(2, 10))
    blocks = [Residual(width, activation) for _ in range(generator.integers(1, 4))]
    return nn.Sequential(nn.Linear(2, width), *blocks, nn.Linear(width, 2))


def _maxout(generator: np.random.Generator, activation: Callable[[], nn.Module]) -> nn.Module:
    width = int(generator.integers(2, 7))
    return nn.Sequential(
        Maxout(2, width), nn.Linear(width, width), activation(), Maxout(width, 2), nn.Linear(2, 3)
    )


def _convolutional(
    generator: np.random.Generator, activation: Callable[[], nn.Module]
) -> nn.Module:
    channels = int(generator.integers(1, 4))
    norm = nn.BatchNorm2d(channels)
    norm.running_mean, norm.running_var = torch.randn(channels), torch.rand(channels) + 0.2
    pool = (nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(2))[generator.integers(3)]
    num_pooled = channels * (4 if isinstance(pool, nn.AdaptiveAvgPool2d) else 9)
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1), norm, activation(), pool, nn.Flatten(),
        nn.Linear(num_pooled, 6), activation(), nn.Linear(6, 2),
    )  # fmt: skip


_BUILDERS = {
    "dense": _dense,
    "residual": _residual,
    "maxout": _maxout,
    "convolutional": _convolutional,
}
