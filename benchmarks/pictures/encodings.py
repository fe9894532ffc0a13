"""How well do encodings learn a photograph, beside random Fourier features and SIREN?

``python -m benchmarks.pictures.encodings [--quick] [--sizes 48k,13k] [--seeds 0,1,2]``

Every method has about as many weights as the others of its size. It trains for as many processor
seconds, which a busy machine does not change, in one thread, with Adam, a cosine schedule and
batches of 2,048 pixels. Each is shown at the best of three rates; random Fourier features and SIREN
also at the best of three scales. Rates and scales are tried on the first seed, for ``--choice``
seconds each. The best of them is trained for ``--seconds``; if it diverges there, the next best one
counts. Each training is a cell of ``docs/results/encodings.json``, written as soon as it is over,
so that the command can be stopped and goes on; the first seed of all pictures comes first.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.harness.cells import CellTable
from benchmarks.harness.folders import RESULTS
from benchmarks.harness.timing import argument_parser
from benchmarks.pictures.networks import SIZES, Method
from benchmarks.pictures.samples import PHOTOGRAPHS, photograph
from bitfold.networks import CompiledNet, PolytopeNet
from bitfold.runtime.display.decibels import psnr_of
from bitfold.targets import Grid

TABLE: Final = RESULTS / "encodings.json"
BATCH = 2048


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
    return psnr_of(float((shown - values).square().mean()))


class Training(NamedTuple):
    """A method of a size on a picture, with its settings."""

    picture: str
    size: str
    name: str
    scale: float
    rate: float
    seed: int

    @property
    def method(self) -> Method:
        """The method, which makes the network."""
        return SIZES[self.size][self.name]


@dataclass(frozen=True)
class Trainings:
    """Trainings of a table, each measured once.

    Args:
        table: keeps them.
        seconds: CPU time of each.
        choice_seconds: CPU time of the trainings in which scales and rates are tried.
    """

    table: CellTable
    seconds: float
    choice_seconds: float

    def psnr_db(self, training: Training) -> float:
        """Return the PSNR of a training; measure it first if the table lacks it."""
        return self._after(self.seconds, training)

    def _after(self, seconds: float, training: Training) -> float:
        picture, size, name, scale, rate, seed = training

        def measure() -> dict[str, object]:
            pixels = photograph(picture)
            shown, steps = learned_picture(
                pixels, training.method, scale=scale, rate=rate, seconds=seconds, seed=seed
            )
            return {"psnr_db": round(psnr_db(pixels, shown), 2), "steps": steps}

        settings = f"scale {scale:g}, rate {rate:g}, seed {seed}, {seconds:g} s"
        cell = self.table.measured(f"{picture}, {size}, {name}, {settings}", measure)
        return float(cell["psnr_db"])

    def best(self, picture: str, size: str, name: str, seed: int) -> Training:
        """Return the training with the scale and the rate to show.

        They have the highest PSNR after ``choice_seconds``, of those that get better until
        ``seconds``.
        """
        method = SIZES[size][name]
        pairs = product(method.scales, method.rates)
        tried = [Training(picture, size, name, scale, rate, seed) for scale, rate in pairs]
        soon = {training: self._after(self.choice_seconds, training) for training in tried}
        ordered = sorted(tried, key=lambda training: -soon[training])
        better = (one for one in ordered if self.psnr_db(one) >= soon[one])
        return next(better, ordered[0])


def row(trainings: Trainings, best: Training, seeds: list[int]) -> str:
    """Return a line of a method's settings and the PSNR of all seeds."""
    found = [trainings.psnr_db(best._replace(seed=seed)) for seed in seeds]
    num_weights = sum(item.numel() for item in best.method.make(best.scale).parameters())
    shown = ", ".join(f"{one:.2f}" for one in found)
    settings = f"scale {best.scale:g}, rate {best.rate:g}"
    return f"{best.picture}: {best.name}, {num_weights:,} weights, {settings}: {shown} dB"


def main() -> None:
    """Measure the missing cells, and print a line for each method and photograph."""
    parser = argument_parser(str(__doc__))
    parser.add_argument("--seconds", type=float, default=180.0, help="CPU seconds of a training")
    parser.add_argument("--choice", type=float, default=10.0, help="CPU seconds of a first try")
    parser.add_argument("--pictures", default=",".join(PHOTOGRAPHS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--sizes", default="48k,13k", help="of the networks")
    parser.add_argument("--methods", help="some of the methods")
    given = parser.parse_args()
    torch.set_num_threads(1)
    pictures = PHOTOGRAPHS[:1] if given.quick else given.pictures.split(",")
    seconds, choice = (4.0, 2.0) if given.quick else (given.seconds, given.choice)
    seeds = [0] if given.quick else [int(word) for word in given.seeds.split(",")]
    path = given.output or TABLE
    table = CellTable(path.with_suffix(".quick.json") if given.quick else path)
    trainings = Trainings(table, seconds, choice)
    wanted: list[tuple[str, str, str]] = [
        (picture, size, name)
        for size, picture in product(given.sizes.split(","), pictures)
        for name in SIZES[size]
        if given.methods is None or name in given.methods.split(",")
    ]
    for seed, one in product(seeds, wanted):
        trainings.psnr_db(trainings.best(*one, seeds[0])._replace(seed=seed))
    print("\n".join(row(trainings, trainings.best(*one, seeds[0]), seeds) for one in wanted))


if __name__ == "__main__":
    main()
