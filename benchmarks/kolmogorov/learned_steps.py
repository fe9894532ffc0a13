"""What does a training step with ``quantise="learned"`` take, against one of the task alone?

``python -m benchmarks.kolmogorov.learned_steps [--quick] [--output FILE]``; exit code 1 if it takes
over 1.6 times as long. LeNet-300-100, batches of 256 drawn at random, Adam, one thread; both in
turn in one process, each from the same start, in processor time. A step: no gradients, task, K,
backward, Adam.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.harness.timing import (
    alternate,
    argument_parser,
    flattened,
    ratios,
    write_results,
)
from benchmarks.model_files.small_models import RECIPES
from bitfold.kolmogorov import KolmogorovLoss

MOST_TIMES = 1.6
BATCH, RATE, WEIGHT = 256, 2e-3, 1.0
# Steps before the timing: they load compiled loops and spread weights as training does.
NUM_BEFORE, NUM_STEPS = 100, 20
ROUNDS, QUICK_ROUNDS = 30, 5


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return some batches of noise."""
    generator = torch.Generator().manual_seed(1)
    return [
        (
            torch.rand(BATCH, 784, generator=generator),
            torch.randint(10, (BATCH,), generator=generator),
        )
        for _ in range(NUM_STEPS)
    ]


def plain_step() -> Callable[[int], None]:
    """Return a training step of the task alone."""
    network, given = lenet(), batches()
    optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True)

    def step(number: int) -> None:
        pictures, labels = given[number % NUM_STEPS]
        optimizer.zero_grad()
        task = functional.cross_entropy(network(pictures), labels)
        task.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
        optimizer.step()

    return step


def learned_step() -> Callable[[int], None]:
    """Return a training step with quantised weights and K."""
    network, given = lenet(), batches()
    kolmogorov = KolmogorovLoss(network, quantise="learned")
    own = {"params": list(kolmogorov.parameters()), "lr": RECIPES["LeNet-300-100"].own_rate}
    groups: list[dict[str, Any]] = [{"params": list(network.parameters())}, own]
    optimizer = torch.optim.Adam(groups, RATE, fused=True)

    def step(number: int) -> None:
        pictures, labels = given[number % NUM_STEPS]
        optimizer.zero_grad()
        with kolmogorov.quantised():
            task = functional.cross_entropy(network(pictures), labels)
        (task + WEIGHT * kolmogorov()).backward()
        optimizer.step()

    return step


def lenet() -> nn.Module:
    """Return LeNet-300-100 with the same weights at each call."""
    torch.manual_seed(0)
    return RECIPES["LeNet-300-100"].make()


def timed(step: Callable[[int], None]) -> Callable[[], Sequence[float]]:
    """Return a function that returns the seconds of some steps."""
    for number in range(NUM_BEFORE):
        step(number)

    def measure() -> list[float]:
        return [_processor_seconds(partial(step, number)) for number in range(NUM_STEPS)]

    return measure


def _processor_seconds(work: Callable[[], None]) -> float:
    """Return this process's processor time of one call, whatever other programs do."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> int:
    """Measure, print and judge."""
    parser = argument_parser(__doc__.splitlines()[0])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    learned, plain = alternate(timed(learned_step()), timed(plain_step()), rounds)
    times = ratios(learned, plain)
    print(f"plain step:   {flattened(plain).text(1e3, ' ms')}")
    print(f"learned step: {flattened(learned).text(1e3, ' ms')}")
    print(f"times as long: {times.text()}, at most {MOST_TIMES} wanted")
    results = {"plain": flattened(plain).record(), "learned": flattened(learned).record()}
    least = min(map(min, learned)) / min(map(min, plain))
    print(f"fastest against fastest: {least:.3g}")
    write_results(arguments.output, {**results, "times": times.record(), "fastest": least})
    return int(statistics.median([times.median, least]) > MOST_TIMES)


if __name__ == "__main__":
    raise SystemExit(main())
