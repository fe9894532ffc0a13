"""How many bytes draw the ring as well as 8-bit weights do?

``python -m benchmarks.model_files.ring_file`` trains [10]*8 on a ring of 1024 x 1024 in two ways,
five seeds each, on the same points in the same order and equally long: ordinarily, and with K and
learned steps. The first is then rounded as is usual, to 8 bits with a step for each tensor, and
also written by ``write_model`` without a loss, in the fewest bytes that draw as well. Every PSNR is
that of the decoded network over all pixels. ``--quick`` trains one seed; ``--predictor adaptive``
predicts each weight from those before it, and ``--last adaptive`` only after the training.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.jobs import run_jobs
from benchmarks.harness.pages import replace_block
from benchmarks.harness.timing import argument_parser, write_results
from benchmarks.model_files.model_bytes import through_file
from benchmarks.model_files.small_models import PAGE, RISING, SOFT, described
from bitfold import PolytopeNet
from bitfold.kolmogorov import PREDICTORS, KolmogorovLoss, finish, fit_predictor, prune_dead
from bitfold.runtime.display.decibels import psnr_of
from bitfold.targets import load_target, sample_split

SHAPE, SIDE = "[10]*8", 1024
# The number of points and the batch size are a run's defaults.
BATCH, EPOCHS, RATE, OWN_RATE = 1024, 4000, 5e-3, 3e-2
# Lambda, and the share of the epochs in which it rises from 0: without a ring yet, nothing holds
# the weights. At 6e-3 some seeds end without a ring.
WEIGHT, WEIGHT_RISES = 3e-3, 0.2
PREDICTOR = "row_column"
NUM_SEEDS, MANY = 5, 2**16
# The bits of a step of 8-bit rounding, a bfloat16.
STEP_BYTES = 2
# File sizes to try without a loss, as the first size and the factor to the next.
LEAST_BYTES, MOST_BYTES, GROWTH = 500, 2000, 1.02


class Points(NamedTuple):
    """Positions (N, 2) in the picture, and its brightness there (N, 1)."""

    places: Tensor
    values: Tensor


def fresh() -> PolytopeNet:
    """Return a network with new weights."""
    return PolytopeNet(2, SHAPE, 1)


@torch.no_grad()
def without_biases(network: nn.Module) -> nn.Module:
    """Return the network without biases, since biases of 0 are free until they help."""
    bare = copy.deepcopy(network)
    for tensor in bare.parameters():
        tensor.mul_(tensor.ndim > 1)
    return bare


def train(network: nn.Module, kolmogorov: KolmogorovLoss | None, data: Points) -> None:
    """Train a network by its mean squared error, and by K if it has a loss."""
    rates = [RATE] if kolmogorov is None else [RATE, OWN_RATE]
    learners = [network] if kolmogorov is None else [network, kolmogorov]
    optimizer = torch.optim.Adam([{"params": list(one.parameters())} for one in learners])
    num_steps = EPOCHS * -(-len(data.values) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, num_steps, pct_start=RISING, cycle_momentum=False
    )
    for epoch in range(EPOCHS):
        if kolmogorov is not None and epoch == int(SOFT * EPOCHS):
            finish(kolmogorov)
        weight = WEIGHT * min(1.0, epoch / (WEIGHT_RISES * EPOCHS))
        for chosen in torch.split(torch.randperm(len(data.values)), BATCH):
            optimizer.zero_grad()
            part = Points(data.places[chosen], data.values[chosen])
            loss = combined(network, kolmogorov, weight, part)
            loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
            optimizer.step()
            schedule.step()
    if kolmogorov is not None:
        prune_dead(kolmogorov, (squared_error(network, data) for _ in range(1)))
        fit_predictor(kolmogorov)


def combined(
    network: nn.Module, kolmogorov: KolmogorovLoss | None, weight: float, data: Points
) -> Tensor:
    """Return the loss to minimise."""
    if kolmogorov is None:
        return squared_error(network, data)
    with kolmogorov.quantised():
        task = squared_error(network, data)
    loss: Tensor = task + weight * kolmogorov()
    return loss


def squared_error(network: nn.Module, data: Points) -> Tensor:
    """Return the mean squared error."""
    return functional.mse_loss(network(data.places), data.values)


def points_of(seed: int | None) -> Points:
    """Return the pixels on which a run with this seed trains; without a seed, all pixels."""
    target = load_target("ring", size=SIDE)
    pixels = np.arange(target.grid.num_pixels)
    if seed is not None:
        pixels = sample_split(target, batch_size=BATCH, seed=seed).training
    return Points(
        torch.from_numpy(target.grid.coordinates(pixels)), torch.from_numpy(target.values(pixels))
    )


@torch.no_grad()
def psnr_db(network: nn.Module, picture: Points) -> float:
    """Return the peak signal-to-noise ratio over a picture."""
    parts = zip(torch.split(picture.places, MANY), torch.split(picture.values, MANY), strict=True)
    squares = sum(
        squared_error(network, Points(*part)).double().item() * len(part[0]) for part in parts
    )
    return psnr_of(squares / len(picture.values))


@torch.no_grad()
def in_eight_bits(network: nn.Module) -> nn.Module:
    """Return a network with each tensor rounded to 255 steps, of which 127 reach its largest."""
    rounded = copy.deepcopy(network)
    for tensor in rounded.parameters():
        step = (tensor.abs().max() / 127).to(torch.bfloat16).to(tensor.dtype)
        tensor.copy_((tensor / step).round().clamp(-127, 127) * step)
    return rounded


def bytes_without_loss(network: nn.Module, psnr: float, picture: Points) -> int | None:
    """Return the size of the smallest file that draws as well; None if none does."""
    limit = float(LEAST_BYTES)
    while limit < MOST_BYTES:
        num_bytes, decoded = through_file(fresh, network, num_bytes=int(limit))
        if psnr_db(decoded, picture) >= psnr:
            return num_bytes
        limit *= GROWTH
    return None


def run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train both networks of a seed, and measure the networks in their files."""
    data, picture = points_of(job["seed"]), points_of(None)
    torch.manual_seed(job["seed"])
    usual = fresh()
    small = without_biases(usual)
    state = torch.get_rng_state()
    train(usual, None, data)
    rounded = psnr_db(in_eight_bits(usual), picture)
    torch.set_rng_state(state)
    start = time.process_time()
    kolmogorov = KolmogorovLoss(small, predictor=job["predictor"], quantise="learned")
    train(small, kolmogorov, data)
    seconds = time.process_time() - start
    kolmogorov = described(kolmogorov, job["predictor"], job["last"])
    num_bytes, decoded = through_file(fresh, small, kolmogorov)
    tensors = list(usual.parameters())
    return {
        "float_psnr_db": psnr_db(usual, picture),
        "rounded_bytes": sum(one.numel() for one in tensors) + STEP_BYTES * len(tensors),
        "rounded_psnr_db": rounded,
        "bytes_without_loss": bytes_without_loss(usual, rounded, picture),
        "bytes": num_bytes,
        "bits": kolmogorov.bits().total,
        "psnr_db": psnr_db(decoded, picture),
        "seconds": seconds,
    }


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of all seeds and their medians."""
    columns = (
        *("float_psnr_db", "rounded_psnr_db", "rounded_bytes"),
        *("bytes_without_loss", "psnr_db", "bytes", "seconds"),
    )
    lines = [
        "| seed | float32 | rounded to 8 bits | bytes | bytes without a loss, as good | "
        "with K | bytes of the file | processor time |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    median = {
        name: statistics.median(result[name] or math.inf for result in results) for name in columns
    }
    for result in (*results, {"seed": "median", **median}):
        one = {name: result[name] or math.inf for name in columns}
        lines += [
            f"| {result['seed']} | {one['float_psnr_db']:.2f} dB | {one['rounded_psnr_db']:.2f} dB "
            f"| {one['rounded_bytes']:,.0f} | {one['bytes_without_loss']:,.0f} | "
            f"{one['psnr_db']:.2f} dB | {one['bytes']:,.0f} | {one['seconds']:.0f} s |"
        ]
    return "\n".join(lines)


def jobs_of(
    num_seeds: int, predictor: str = PREDICTOR, last: str | None = None
) -> list[dict[str, Any]]:
    """Return the settings of all trainings, with the recipe, by which results are kept."""
    recipe: dict[str, Any] = {"epochs": EPOCHS, "rate": RATE, "own_rate": OWN_RATE}
    recipe |= {"predictor": predictor, "last": last}
    recipe |= {"weight": WEIGHT, "weight_rises": WEIGHT_RISES}
    return [{**recipe, "seed": seed} for seed in range(num_seeds)]


def main() -> int:
    """Train, measure and write a table."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--predictor", choices=PREDICTORS, default=PREDICTOR)
    parser.add_argument("--last", choices=PREDICTORS, help="for the trained weights")
    arguments = parser.parse_args()
    num_seeds = 1 if arguments.quick else NUM_SEEDS
    jobs = jobs_of(num_seeds, arguments.predictor, arguments.last)
    results = run_jobs(run, jobs, "ring-file", arguments.processes)
    print(table(results))
    is_of_the_page = (arguments.predictor, arguments.last) == (PREDICTOR, None)
    if is_of_the_page and not arguments.quick:
        replace_block(PAGE, "ring-file", table(results))
    write_results(arguments.output, {"runs": results})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
