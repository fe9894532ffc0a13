"""How well do encodings learn a photograph, beside random Fourier features and SIREN?

``python -m benchmarks.pictures.encodings [--quick] [--seconds 180] [--choice 0] [--seeds 0,1,2]``

Every method has about as many weights, and trains for as many CPU seconds in one thread, with Adam,
a cosine schedule and batches of 2,048 pixels. Each is shown at the best of three rates; random
Fourier features and SIREN also at the best of three scales. CPU seconds are those of the process,
so that a busy machine does not change the comparison. Rates and scales are chosen on the first
seed, in trainings of ``--choice`` seconds, or of ``--seconds``. Each training is a cell of
``docs/results/encodings.json``, written as soon as it is over, so that the command can be stopped
and goes on; the first seed of all pictures comes first.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.harness.cells import CellTable
from benchmarks.harness.folders import RESULTS
from benchmarks.harness.timing import argument_parser
from benchmarks.pictures.samples import PHOTOGRAPHS, photograph
from bitfold.networks import CompiledNet, PolytopeNet
from bitfold.targets import Grid

TABLE: Final = RESULTS / "encodings.json"
BATCH = 2048
RATES: Final = (1e-3, 3e-3, 1e-2)


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


def fourier(scale: float) -> nn.Module:
    """A network on 48 random frequencies, with 12,963 weights."""
    layers: list[nn.Module] = [FourierFeatures(48, scale)]
    for fan_in, fan_out in pairwise([96, 60, 60, 54]):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(54, 3))


def siren(omega: float) -> nn.Module:
    """SIREN of four hidden layers of 64, with 12,867 weights."""
    layers: list[nn.Module] = []
    widths = [2, 64, 64, 64, 64]
    for number, (fan_in, fan_out) in enumerate(pairwise(widths)):
        layer = nn.Linear(fan_in, fan_out)
        bound = 1 / fan_in if number == 0 else math.sqrt(6 / fan_in) / omega
        nn.init.uniform_(layer.weight, -bound, bound)
        # In points of [-0.5, 0.5], half as large as the source's.
        layers += [layer, Sine(2 * omega if number == 0 else omega)]
    return nn.Sequential(*layers, nn.Linear(64, 3))


@dataclass(frozen=True)
class Method:
    """A method and the scales at which it is tried.

    Args:
        make: makes a network of a scale.
        scales: the scales to try; the best one counts.
    """

    make: Callable[[float], nn.Module]
    scales: tuple[float, ...] = (1.0,)


def _encoded(shape: str, encoding: str) -> Callable[[float], nn.Module]:
    return lambda _: PolytopeNet(2, shape, 3, encoding=encoding)


METHODS: Final = {
    "coordinates": Method(_encoded("[64]*4", "none")),
    "triangle:5": Method(_encoded("[60]*4", "triangle:5")),
    "triangle:6": Method(_encoded("[70]*3", "triangle:6")),
    "grid:4x3": Method(_encoded("[80]*2", "grid:4x3")),
    "grid:4x6": Method(_encoded("[50]*2", "grid:4x6")),
    "grid:5x2": Method(_encoded("[28]*2", "grid:5x2")),
    "Fourier features": Method(fourier, (3.0, 6.0, 12.0)),
    "SIREN": Method(siren, (10.0, 20.0, 30.0)),
}


def learned_picture(
    pixels: NDArray[np.uint8],
    method: Method,
    *,
    scale: float,
    rate: float,
    seconds: float,
    seed: int,
) -> tuple[Tensor, int]:
    """Train for CPU seconds; return all pixels (height, width, 3), 0 to 1, and the steps."""
    torch.manual_seed(seed)
    height, width, _ = pixels.shape
    points = torch.from_numpy(Grid(width, height).coordinates(np.arange(height * width)))
    values = torch.from_numpy(pixels.reshape(-1, 3).astype(np.float32) / 255)
    network = method.make(scale)
    fast = CompiledNet(network) if isinstance(network, PolytopeNet) else network
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    start, num_steps, order = time.process_time(), 0, torch.empty(0, dtype=torch.int64)
    while (share := (time.process_time() - start) / seconds) < 1:
        if len(order) < BATCH:
            order = torch.randperm(len(points))
        batch, order = order[:BATCH], order[BATCH:]
        for group in optimizer.param_groups:
            group["lr"] = rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        loss = (fast(points[batch]) - values[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        num_steps += 1
    with torch.no_grad():
        shown = torch.cat([network(part) for part in torch.split(points, 2**14)]).clamp(0, 1)
    return shown.reshape(height, width, 3), num_steps


def psnr_db(pixels: NDArray[np.uint8], shown: Tensor) -> float:
    """Return the PSNR of what a network shows, before it is rounded."""
    values = torch.from_numpy(pixels.astype(np.float32) / 255)
    return -10 * math.log10(float((shown - values).square().mean()))


class Training(NamedTuple):
    """A method on a picture, with its settings."""

    picture: str
    name: str
    scale: float
    rate: float
    seed: int


@dataclass(frozen=True)
class Trainings:
    """Trainings of a table, each measured once.

    Args:
        table: keeps them.
        seconds: CPU time of each.
        choice_seconds: CPU time of the trainings in which scales and rates are chosen.
    """

    table: CellTable
    seconds: float
    choice_seconds: float

    def psnr_db(self, training: Training) -> float:
        """Return the PSNR of a training; measure it first if the table lacks it."""
        return self._after(self.seconds, training)

    def _after(self, seconds: float, training: Training) -> float:
        picture, name, scale, rate, seed = training

        def measure() -> dict[str, object]:
            pixels = photograph(picture)
            shown, steps = learned_picture(
                pixels,
                METHODS[name],
                scale=scale,
                rate=rate,
                seconds=seconds,
                seed=seed,
            )
            return {"psnr_db": round(psnr_db(pixels, shown), 2), "steps": steps}

        cell = f"{picture}, {name}, scale {scale:g}, rate {rate:g}, seed {seed}, {seconds:g} s"
        return float(self.table.measured(cell, measure)["psnr_db"])

    def best_settings(self, picture: str, name: str, seed: int) -> tuple[float, float]:
        """Return the scale and the rate of the highest PSNR."""
        return max(
            product(METHODS[name].scales, RATES),
            key=lambda one: self._after(
                self.choice_seconds, Training(picture, name, one[0], one[1], seed)
            ),
        )


def row(trainings: Trainings, picture: str, name: str, seeds: list[int]) -> str:
    """Return a line of the best settings and the PSNR of all seeds."""
    scale, rate = trainings.best_settings(picture, name, seeds[0])
    found = [trainings.psnr_db(Training(picture, name, scale, rate, seed)) for seed in seeds]
    num_weights = sum(item.numel() for item in METHODS[name].make(scale).parameters())
    shown = ", ".join(f"{one:.2f}" for one in found)
    return f"{picture}: {name}, {num_weights:,} weights, scale {scale:g}, rate {rate:g}: {shown} dB"


def main() -> None:
    """Measure the missing cells, and print a line for each method and photograph."""
    parser = argument_parser(str(__doc__))
    parser.add_argument("--seconds", type=float, default=180.0, help="CPU seconds of a training")
    parser.add_argument("--choice", type=float, help="CPU seconds of a training that chooses")
    parser.add_argument("--pictures", default=",".join(PHOTOGRAPHS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--methods", default=",".join(METHODS), help="some of the methods")
    given = parser.parse_args()
    torch.set_num_threads(1)
    pictures = PHOTOGRAPHS[:1] if given.quick else given.pictures.split(",")
    seconds = 4.0 if given.quick else given.seconds
    seeds = [0] if given.quick else [int(word) for word in given.seeds.split(",")]
    path = given.output or TABLE
    table = CellTable(path.with_suffix(".quick.json") if given.quick else path)
    trainings = Trainings(table, seconds, given.choice or seconds)
    methods = given.methods.split(",")
    for seed, picture, name in product(seeds, pictures, methods):
        scale, rate = trainings.best_settings(picture, name, seeds[0])
        trainings.psnr_db(Training(picture, name, scale, rate, seed))
    lines = [row(trainings, *one, seeds) for one in product(pictures, methods)]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
