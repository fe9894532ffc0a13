"""How small do LeNet-300-100 and LeNet-5-Caffe get on MNIST, and how often are they wrong?

``python -m benchmarks.model_files.small_models`` trains five seeds of the one and three of the
other on MNIST's 60,000 training pictures, writes files, and counts the errors of the networks that
are read from them on the 10,000 test pictures, which nothing else looks at: the recipes were found
with ``--validate``, which trains on the first 50,000 and counts on the last 10,000 training
pictures. ``--unmoved`` moves no training pictures, as most published trainings; nothing else
changes. The trained weights of LeNet-300-100, and with ``--last adaptive`` of both, are coded by
their context. ``--quick`` trains one seed of LeNet-300-100. Trainings that are done are kept and
not done again.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.folders import DOCS, MNIST
from benchmarks.harness.jobs import run_jobs
from benchmarks.harness.mnist import Digits, load_test, load_training
from benchmarks.harness.pages import replace_block
from benchmarks.harness.timing import argument_parser, write_results
from benchmarks.model_files.model_bytes import through_file
from bitfold.kolmogorov import (
    PREDICTORS,
    KolmogorovLoss,
    choose_predictor,
    finish,
    fit_predictor,
    prune_dead,
)

PAGE = DOCS / "small-models.md"
SIDE = 28
# The share of the steps in which rates rise.
RISING = 0.1
# The share of the epochs after which steps and scales are frozen.
SOFT = 0.9
# Parts of a batch that move alike, and the number of pictures in a batch of evaluation.
NUM_MOVES, MANY = 4, 1000
PREDICTOR = "row_column"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Args:
        make: makes a new network.
        weight: of the network's nats, against those of the classes of all training pictures.
        epochs: how many.
        batch: pictures.
        rate: Adam's for the weights, at its highest.
        own_rate: for K's own parameters.
        moved: the share of pictures that are moved by up to a pixel each time that they are seen.
        focus: the power of the chance of being wrong that a picture's cross-entropy counts with.
        predictor: of the weights, in training.
        last: that describes the trained weights anew, where this is shorter; None: none.
    """

    make: Callable[[], nn.Module]
    weight: float
    epochs: int
    batch: int
    rate: float
    own_rate: float = 1e-2
    moved: float = 0.7
    focus: float = 0.0
    predictor: str = PREDICTOR
    last: str | None = None

    def settings(self) -> dict[str, Any]:
        """Return all numbers, by which a finished training is recognised."""
        return {name: item for name, item in vars(self).items() if name != "make"}


def lenet_300_100() -> nn.Module:
    """Return a network of 266,610 weights."""
    return nn.Sequential(
        nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def lenet_5_caffe() -> nn.Module:
    """Return a network of 431,080 weights."""
    return nn.Sequential(
        nn.Unflatten(1, (1, SIDE, SIDE)),
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )


RECIPES = {
    "LeNet-300-100": Recipe(
        lenet_300_100,
        weight=0.31,
        epochs=75,
        batch=256,
        rate=2e-3,
        own_rate=2e-2,
        focus=1.0,
        last="adaptive",
    ),
    "LeNet-5-Caffe": Recipe(
        lenet_5_caffe, weight=0.35, epochs=15, batch=128, rate=2e-3, own_rate=2e-2, focus=1.0
    ),
}
NUM_SEEDS = {"LeNet-300-100": 5, "LeNet-5-Caffe": 3}
# Of each network without moved pictures.
NUM_UNMOVED = 3


def train(recipe: Recipe, digits: Digits, seed: int) -> tuple[nn.Module, KolmogorovLoss]:
    """Train a network to be short, and find its shortest description."""
    torch.manual_seed(seed)
    network = recipe.make()
    kolmogorov = KolmogorovLoss(network, predictor=recipe.predictor, quantise="learned")
    groups = [
        {"params": list(network.parameters()), "lr": recipe.rate},
        {"params": list(kolmogorov.parameters()), "lr": recipe.own_rate},
    ]
    optimizer = torch.optim.Adam(groups, fused=True)
    num_steps = recipe.epochs * -(-len(digits.labels) // recipe.batch)
    rates = [recipe.rate, recipe.own_rate]
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, num_steps, pct_start=RISING, cycle_momentum=False
    )
    weight = recipe.weight * kolmogorov.num_weights / len(digits.labels)
    for epoch in range(recipe.epochs):
        if epoch == int(SOFT * recipe.epochs):
            finish(kolmogorov)
        for pictures, labels in shuffled(digits, recipe):
            optimizer.zero_grad()
            with kolmogorov.quantised():
                task = task_loss(network(pictures), labels, recipe.focus)
            (task + weight * kolmogorov()).backward()
            optimizer.step()
            schedule.step()
    prune_dead(kolmogorov, task_losses(network, digits))
    fit_predictor(kolmogorov)
    return network, described(kolmogorov, recipe.predictor, recipe.last)


def described(kolmogorov: KolmogorovLoss, predictor: str, last: str | None) -> KolmogorovLoss:
    """Return the loss whose predictor, that of training or the last one, is shorter."""
    if last is None:
        return kolmogorov
    return choose_predictor(kolmogorov, candidates=[predictor, last]).kolmogorov


def task_loss(logits: Tensor, labels: Tensor, focus: float) -> Tensor:
    """Return the mean cross-entropy, each picture's times a power of its chance of being wrong.

    Source: Lin et al. 2017, "Focal loss", equation 4. Pictures classified rightly by a wide margin
        count little, so that bits are spent where they save an error.
    """
    nats = functional.cross_entropy(logits, labels, reduction="none")
    return (nats * (1 - (-nats).exp()) ** focus if focus else nats).mean()


def shuffled(digits: Digits, recipe: Recipe) -> Iterator[Digits]:
    """Yield all digits once, in batches, some moved by up to a pixel."""
    for chosen in torch.split(torch.randperm(len(digits.labels)), recipe.batch):
        pictures = digits.pictures[chosen].view(-1, SIDE, SIDE)
        moved = (torch.rand(len(chosen)) < recipe.moved).nonzero()[:, 0]
        for part in moved.chunk(NUM_MOVES):
            down, right = torch.randint(-1, 2, (2,)).tolist()
            pictures[part] = torch.roll(pictures[part], (down, right), (1, 2))
        yield Digits(pictures.view(len(chosen), -1), digits.labels[chosen])


def task_losses(network: nn.Module, digits: Digits) -> Iterator[Tensor]:
    """Yield the losses of unmoved digits, in large batches."""
    for pictures, labels in zip(
        torch.split(digits.pictures, MANY), torch.split(digits.labels, MANY), strict=True
    ):
        yield functional.cross_entropy(network(pictures), labels)


@torch.no_grad()
def error(network: nn.Module, digits: Digits) -> float:
    """Return the share of digits that a network gets wrong."""
    told = torch.cat([network(some).argmax(1) for some in torch.split(digits.pictures, MANY)])
    return (told != digits.labels).double().mean().item()


def run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train one network, write it to a file, and measure the decoded network."""
    training, judged = load_training(MNIST)
    if not job["validate"]:
        training = Digits(*(torch.cat(both) for both in zip(training, judged, strict=True)))
        judged = load_test(MNIST)
    varied = {name: job[name] for name in ("weight", "predictor", "moved", "epochs", "last")}
    recipe = replace(RECIPES[job["network"]], **varied)
    start = time.process_time()
    network, kolmogorov = train(recipe, training, job["seed"])
    seconds = time.process_time() - start
    num_bytes, decoded = through_file(recipe.make, network, kolmogorov)
    description, total = kolmogorov.bits(), kolmogorov.report().total
    return {
        "bytes": num_bytes,
        "bits": description.total,
        "items": {name: bits / 8 for name, bits in description.items.items()},
        "error": error(decoded, judged),
        "num_left": total.num_weights - total.num_zeros,
        "seconds": seconds,
    }


def jobs_of(
    seeds: Mapping[str, int],
    *,
    validate: bool,
    **varied: Any,
) -> list[dict[str, Any]]:
    """Return the settings of all trainings; ``varied`` are fields of `Recipe`."""
    found = list[dict[str, Any]]()
    for name, count in seeds.items():
        recipe = replace(RECIPES[name], **varied)
        settings = {"network": name, **recipe.settings(), "validate": validate}
        found += [{**settings, "seed": seed} for seed in range(count)]
    return found


def median_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the medians of each network."""
    lines = [
        "| network | lambda, of N / n | bytes, median | error, median | seeds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in RECIPES:
        own = [result for result in results if result["network"] == name]
        if not own:
            continue
        size = statistics.median(result["bytes"] for result in own)
        wrong = statistics.median(result["error"] for result in own)
        weight = own[0]["weight"]
        lines.append(f"| {name} | {weight} | {size:,.0f} | {wrong:.2%} | {len(own)} |")
    return "\n".join(lines)


def seed_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of all seeds."""
    lines = [
        "| network | seed | bytes | of weights | of scales | of steps | weights left | error "
        "| processor time |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*lines, *map(_row, results)])


def _row(result: Mapping[str, Any]) -> str:
    items = result["items"]
    coded = items["weights"] + items["out_of_range"]
    return (
        f"| {result['network']} | {result['seed']} | {result['bytes']:,.0f} | {coded:,.0f} | "
        f"{items['predictor']:,.0f} | {items['ranges']:,.0f} | {result['num_left']:,} | "
        f"{result['error']:.2%} | {result['seconds']:.0f} s |"
    )


def main() -> int:
    """Train and write tables."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--validate", action="store_true", help="judge by training pictures")
    parser.add_argument("--unmoved", action="store_true", help="move no training pictures")
    parser.add_argument("--networks", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--predictor", choices=PREDICTORS, help="in training")
    parser.add_argument("--last", choices=PREDICTORS, help="for the trained weights")
    parser.add_argument("--epochs", type=int, help="75 and 15")
    parser.add_argument("--weight", type=float, help="lambda; 0.31 and 0.35")
    parser.add_argument("--seeds", type=int, help="of each network; 5 and 3, 3 unmoved")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    usual = dict.fromkeys(RECIPES, NUM_UNMOVED) if arguments.unmoved else NUM_SEEDS
    seeds = {name: arguments.seeds or usual[name] for name in arguments.networks}
    if arguments.quick:
        seeds = {"LeNet-300-100": 1}
    given = {name: getattr(arguments, name) for name in ("predictor", "last", "epochs", "weight")}
    varied = {name: value for name, value in given.items() if value is not None}
    varied |= {"moved": 0.0} if arguments.unmoved else {}
    jobs = jobs_of(seeds, validate=arguments.validate, **varied)
    results = run_jobs(run, jobs, "small-models", arguments.processes)
    text = f"{median_table(results)}\n\n{seed_table(results)}"
    print(text)
    if not arguments.validate and seeds == usual:
        if not varied:
            replace_block(PAGE, "small-models", text)
        elif varied == {"moved": 0.0}:
            replace_block(PAGE, "unmoved", median_table(results))
    write_results(arguments.output, {"runs": results})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
