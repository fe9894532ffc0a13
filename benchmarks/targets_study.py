"""Which targets should a newcomer get? K in hard bits against task loss, for all of them.

[10]*8 learns two pictures as the draw-poly programs do (coordinate predictor, 256 bins in -3 to 3);
LeNet-300-100 learns MNIST with a scale for each tensor, row and column and learned ranges. Adam at
1e-3 everywhere, one rate for networks and predictors. What a run ends with is measured on the
network and on the *decoded* network: every weight moved to its bin.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import bitfold
from benchmarks.jobs import default_processes, run_jobs
from benchmarks.mnist import Digits, load_training
from benchmarks.product import in_temporary_run
from benchmarks.targets_figures import draw_frontiers
from benchmarks.targets_table import winners, write_table
from benchmarks.timing import argument_parser, write_results
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.targets import load_target
from bitfold.training import Event, RunEnded

DOCS = Path(__file__).resolve().parent.parent / "docs"
MNIST = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "mnist"

TARGETS = (
    ("soft", 0.01),
    ("soft", 0.1),
    ("soft", 0.3),
    ("soft", 1.0),
    ("linear", 0.1),
    ("noise", 0.1),
)
PICTURES = ("ring", "spiral")
PICTURE_LAMBDAS = (0.001, 0.003, 0.01)
LENET_LAMBDAS = (0.1, 0.4, 1.6)
PICTURE_EPOCHS, LENET_EPOCHS = 1000, 4


class Ending:
    """A listener that keeps what a run ended with."""

    def __init__(self) -> None:
        self.network: nn.Module | None = None
        self.kolmogorov: KolmogorovLoss | None = None

    def __call__(self, event: Event) -> None:
        """Keep network and loss."""
        if isinstance(event, RunEnded):
            self.network, self.kolmogorov = event.network, event.kolmogorov


def picture_run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Learn a picture; return hard bits a weight and mean squared errors over all its pixels."""
    config = bitfold.Config(
        target=job["target"],
        size=256,
        epochs=job["epochs"],
        seed=job["seed"],
        kolmogorov_weight=job["weight"],
        kolmogorov_targets=job["targets"],
        kolmogorov_temperature=job["temperature"],
        no_watchdog=("stagnation",),
        save_interval="1000000",
        checkpoint_interval=1_000_000,
    )
    ending = Ending()
    in_temporary_run(config, lambda run: run.status, ending)
    assert ending.network is not None
    assert ending.kolmogorov is not None
    target = load_target(job["target"], size=256)
    every = torch.arange(256 * 256).numpy()
    points = torch.from_numpy(target.grid.coordinates(every))
    wanted = torch.from_numpy(target.values(every))

    def error(network: nn.Module) -> float:
        return functional.mse_loss(network(points), wanted).item()

    return _measured(ending.network, ending.kolmogorov, error)


def lenet_run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Learn MNIST; return hard bits a weight, cross-entropy and errors on the validation digits."""
    torch.manual_seed(job["seed"])
    training, validation = load_training(MNIST)
    network = nn.Sequential(
        nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )
    kolmogorov = KolmogorovLoss(
        network,
        predictor="row_column",
        weight_range="auto",
        targets=job["targets"],
        temperature=job["temperature"],
    )
    optimizer = torch.optim.Adam([*network.parameters(), *kolmogorov.parameters()], fused=True)
    for _ in range(job["epochs"]):
        for batch in torch.randperm(len(training.labels)).split(256):
            optimizer.zero_grad()
            task = functional.cross_entropy(
                network(training.pictures[batch]), training.labels[batch]
            )
            (task + job["weight"] * kolmogorov()).backward()
            optimizer.step()
    return _measured(network, kolmogorov, lambda module: _nats(module, validation))


def _nats(network: nn.Module, digits: Digits) -> float:
    return functional.cross_entropy(network(digits.pictures), digits.labels).item()


@torch.no_grad()
def _measured(network: nn.Module, kolmogorov: KolmogorovLoss, error: Any) -> dict[str, Any]:
    items = kolmogorov.bits().items
    state = {name: value.clone() for name, value in network.state_dict().items()}
    before, coverage = error(network), kolmogorov.gradient_coverage()
    network.load_state_dict(kolmogorov.decoded_state())
    after = error(network)
    network.load_state_dict(state)
    return {
        "bits_per_weight": (items["weights"] + items["out_of_range"]) / kolmogorov.num_weights,
        "task": before,
        "decoded_task": after,
        "coverage": coverage,
    }


def picture_jobs(seeds: int, epochs: int) -> list[dict[str, Any]]:
    """Return the settings of all runs on pictures."""
    return [
        {
            "target": target,
            "epochs": epochs,
            "weight": weight,
            "targets": name,
            "temperature": temperature,
            "seed": seed,
        }
        for target in PICTURES
        for weight in PICTURE_LAMBDAS
        for seed in range(seeds)
        for name, temperature in TARGETS
    ]


def lenet_jobs(seeds: int, epochs: int) -> list[dict[str, Any]]:
    """Return the settings of all runs on MNIST."""
    return [
        {
            "target": "mnist",
            "epochs": epochs,
            "weight": weight,
            "targets": name,
            "temperature": temperature,
            "seed": seed,
        }
        for weight in LENET_LAMBDAS
        for seed in range(seeds)
        for name, temperature in TARGETS
    ]


def main() -> int:
    """Train, tabulate, draw."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=default_processes())
    arguments = parser.parse_args()
    seeds = 1 if arguments.quick else arguments.seeds
    share = 10 if arguments.quick else 1
    pictures = picture_jobs(seeds, PICTURE_EPOCHS // share)
    digits = lenet_jobs(seeds, max(1, LENET_EPOCHS // share))
    results = [
        *run_jobs(picture_run, pictures, "targets-pictures", arguments.processes),
        *run_jobs(lenet_run, digits, "targets-mnist", arguments.processes),
    ]
    table, summary = write_table(results), "\n".join(winners(results))
    print(table, summary, sep="\n")
    if not arguments.quick:
        draw_frontiers(results, DOCS / "figures" / "targets.png")
    write_results(arguments.output, {"runs": results})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
