"""The networks of a comparison of encodings: bitfold's, Fourier features, and SIREN."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from bitfold.networks import PolytopeNet

RATES: Final = (1e-3, 3e-3, 1e-2)
# At 0.01 SIREN diverges within seconds.
SIREN_RATES: Final = (3e-4, 1e-3, 3e-3)


class FourierFeatures(nn.Module):
    """Sines and cosines of random projections. Source: Tancik et al. 2020, equation 5."""

    def __init__(self, count: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("directions", scale * torch.randn(2, count))

    def forward(self, points: Tensor) -> Tensor:
        """Encode points (N, 2) as (N, 2 count)."""
        angles = 2 * math.pi * (points @ self.get_buffer("directions"))
        return torch.cat([angles.sin(), angles.cos()], 1)


class Sine(nn.Module):
    """sin(omega x). Source: Sitzmann et al. 2020, section 3.2."""

    def __init__(self, omega: float) -> None:
        super().__init__()
        self.omega = omega

    def forward(self, sums: Tensor) -> Tensor:
        """Apply the sine."""
        return torch.sin(self.omega * sums)


def fourier(num_frequencies: int, widths: tuple[int, ...], scale: float) -> nn.Module:
    """A network of ReLUs on random frequencies."""
    layers: list[nn.Module] = [FourierFeatures(num_frequencies, scale)]
    for fan_in, fan_out in pairwise((2 * num_frequencies, *widths)):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 3))


def siren(width: int, omega: float) -> nn.Module:
    """SIREN of four hidden layers."""
    layers: list[nn.Module] = []
    widths = [2, width, width, width, width]
    for number, (fan_in, fan_out) in enumerate(pairwise(widths)):
        layer = nn.Linear(fan_in, fan_out)
        bound = 1 / fan_in if number == 0 else math.sqrt(6 / fan_in) / omega
        nn.init.uniform_(layer.weight, -bound, bound)
        # In points of [-0.5, 0.5], half as large as the source's.
        layers += [layer, Sine(2 * omega if number == 0 else omega)]
    return nn.Sequential(*layers, nn.Linear(width, 3))


@dataclass(frozen=True)
class Method:
    """A method with the scales and rates at which it is tried; the best pair counts.

    Args:
        make: makes a network of a scale.
        scales: the scales to try.
        rates: the learning rates to try.
    """

    make: Callable[[float], nn.Module]
    scales: tuple[float, ...] = (1.0,)
    rates: tuple[float, ...] = RATES


def _encoded(shape: str, encoding: str) -> Method:
    return Method(lambda _: PolytopeNet(2, shape, 3, encoding=encoding))


def _fourier(num_frequencies: int, *widths: int) -> Method:
    return Method(partial(fourier, num_frequencies, widths), (3.0, 6.0, 12.0))


def _siren(width: int) -> Method:
    return Method(partial(siren, width), (10.0, 20.0, 30.0), SIREN_RATES)


#: The methods of each size: about 12,700 weights as ``[64]*4`` has, and about 48,000 as
#: `bitfold train` chooses for a photograph of 256 x 256.
SIZES: Final = {
    "13k": {
        "coordinates": _encoded("[64]*4", "none"),
        "triangle:5": _encoded("[60]*4", "triangle:5"),
        "triangle:6": _encoded("[70]*3", "triangle:6"),
        "grid:4x3": _encoded("[80]*2", "grid:4x3"),
        "grid:4x6": _encoded("[50]*2", "grid:4x6"),
        "grid:5x2": _encoded("[28]*2", "grid:5x2"),
        "Fourier features": _fourier(48, 60, 60, 54),
        "SIREN": _siren(64),
    },
    "48k": {
        "coordinates": _encoded("[125]*4", "none"),
        "grid:5x6": _encoded("[100]*2", "grid:5x6"),
        "grid:6x2": _encoded("[48]*2", "grid:6x2"),
        "Fourier features": _fourier(96, 118, 118, 96),
        "SIREN": _siren(125),
    },
}
