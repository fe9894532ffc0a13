"""Two tasks that studies of K train under many settings, and their final measurements.

[10]*8 learns a picture as the draw-poly programs do; LeNet-300-100 learns MNIST with Adam at 3e-3
in batches of 1,024, one rate for network and predictor. What counts is the *decoded* network, every
weight moved to its bin, on pixels and digits that were not trained on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import bitfold
from benchmarks.harness.folders import MNIST
from benchmarks.harness.mnist import Digits, load_training
from benchmarks.harness.product import in_temporary_run
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.targets import load_target
from bitfold.training import Event, RunEnded

SIDE = 256
BATCH, RATE = 1024, 3e-3

Settings = Mapping[str, Any]


class Ending:
    """A listener that keeps a run's final network and loss."""

    def __init__(self) -> None:
        self.network: nn.Module | None = None
        self.kolmogorov: KolmogorovLoss | None = None

    def __call__(self, event: Event) -> None:
        """Keep network and loss."""
        if isinstance(event, RunEnded):
            self.network, self.kolmogorov = event.network, event.kolmogorov

    def measured(self, target: str) -> dict[str, Any]:
        """Return `measured` of the network, with mean squared errors over a built-in picture."""
        assert self.network is not None
        assert self.kolmogorov is not None
        return measured(self.network, self.kolmogorov, picture_error(target))


def learn_picture(target: str, epochs: int, settings: Settings) -> dict[str, Any]:
    """Train on a picture with 5,000 points; see `measured`, whose losses are mean squared errors.

    Args:
        target: name of a built-in picture.
        epochs: how many.
        settings: further fields of `bitfold.Config`.
    """
    config = bitfold.Config(
        target=target,
        size=SIDE,
        epochs=epochs,
        no_watchdog=("stagnation",),
        save_interval="1000000",
        checkpoint_interval=1_000_000,
        **settings,
    )
    ending, start = Ending(), time.process_time()
    in_temporary_run(config, lambda run: run.status, ending)
    seconds = time.process_time() - start
    return {**ending.measured(target), "seconds": seconds}


def picture_error(target: str) -> Callable[[nn.Module], float]:
    """Return a function that gives a network's mean squared error over a built-in picture."""
    loaded = load_target(target, size=SIDE)
    every = torch.arange(SIDE * SIDE).numpy()
    points = torch.from_numpy(loaded.grid.coordinates(every))
    wanted = torch.from_numpy(loaded.values(every))
    return lambda network: functional.mse_loss(network(points), wanted).item()


def learn_digits(seed: int, epochs: int, weight: float, settings: Settings) -> dict[str, Any]:
    """Train on MNIST; see `measured`, whose losses are cross-entropies of the validation digits.

    Args:
        seed: of weights and batches.
        epochs: how many.
        weight: lambda.
        settings: of `KolmogorovLoss`.
    """
    torch.manual_seed(seed)
    training, validation = load_training(MNIST)
    network = nn.Sequential(
        nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )
    kolmogorov = KolmogorovLoss(network, weight_range="auto", **settings)
    parameters = [*network.parameters(), *kolmogorov.parameters()]
    optimizer = torch.optim.Adam(parameters, RATE, fused=True)
    start = time.process_time()
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(training.labels)), BATCH):
            optimizer.zero_grad()
            task = functional.cross_entropy(
                network(training.pictures[batch]), training.labels[batch]
            )
            (task + weight * kolmogorov()).backward()
            optimizer.step()
    seconds = time.process_time() - start
    found = measured(network, kolmogorov, lambda module: _nats(module, validation))
    return {**found, "seconds": seconds}


def _nats(network: nn.Module, digits: Digits) -> float:
    return functional.cross_entropy(network(digits.pictures), digits.labels).item()


@torch.no_grad()
def measured(
    network: nn.Module, kolmogorov: KolmogorovLoss, error: Callable[[nn.Module], float]
) -> dict[str, Any]:
    """Return a training's hard bits, its task loss before and after decoding, and its coverage.

    Bits a weight are counted under the predictor as it is, all bits under the predictor as sent.
    """
    total = kolmogorov.bits().total
    kolmogorov.predictor_bits = 32
    items = kolmogorov.bits().items
    state = {name: value.clone() for name, value in network.state_dict().items()}
    before, coverage = error(network), kolmogorov.gradient_coverage()
    network.load_state_dict(kolmogorov.decoded_state())
    after = error(network)
    network.load_state_dict(state)
    return {
        "bits_per_weight": (items["weights"] + items["out_of_range"]) / kolmogorov.num_weights,
        "total_bits": total,
        "task": before,
        "decoded_task": after,
        "coverage": coverage,
    }
