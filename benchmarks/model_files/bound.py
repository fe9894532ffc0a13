"""Below which error does the size of a file keep a network on pictures that nobody has seen?

``python -m benchmarks.model_files.bound`` trains five seeds of a small convolutional network on
MNIST's 60,000 training pictures, writes files, and says from their bytes and the errors of the
decoded networks on those same pictures how often they are wrong at most: no other pictures are
needed for it. The errors on the 10,000 test pictures stand beside, and nothing was chosen by them.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.folders import MNIST
from benchmarks.harness.jobs import run_jobs
from benchmarks.harness.mnist import Digits, load_test, load_training
from benchmarks.harness.pages import replace_block
from benchmarks.harness.timing import argument_parser, write_results
from benchmarks.model_files.model_bytes import through_file
from benchmarks.model_files.small_models import PAGE, SIDE, Recipe, error, train
from bitfold.bounds import bound

# The probability that the bound does not hold.
DELTA = 0.05
# The number of decoders to pay for, at least one for each architecture that was tried. The way of
# training does not matter, as the bound holds for all files at once.
NUM_TRIED = 1024
NUM_SEEDS = 5
# Of the fixed filters, in pixels.
NUM_DIRECTIONS, WINDOW, SIGMA = 8, 5, 1.0


class Edges(nn.Module):
    """Derivatives of a Gaussian in eight directions, and the Gaussian, at every other pixel.

    It has no weights: the decoder knows the filters, so they cost no bits.
    """

    def __init__(self) -> None:
        super().__init__()
        side = torch.arange(WINDOW) - WINDOW // 2
        down, right = torch.meshgrid(side, side, indexing="ij")
        blur = torch.exp(-(down**2 + right**2) / (2 * SIGMA**2))
        angles = [2 * math.pi * number / NUM_DIRECTIONS for number in range(NUM_DIRECTIONS)]
        slopes = [(right * math.cos(angle) + down * math.sin(angle)) * blur for angle in angles]
        filters = torch.stack([*slopes, blur])[:, None]
        scaled = filters / filters.square().mean((1, 2, 3), keepdim=True).sqrt()
        self.register_buffer("filters", scaled, persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 1, side, side) to (N, 9, side / 2, side / 2)."""
        return functional.conv2d(
            pictures, self.get_buffer("filters"), stride=2, padding=WINDOW // 2
        )


def strokes() -> nn.Module:
    """Return 2,025 weights behind fixed filters; each layer's mean square is set to 1."""
    half, quarter = SIDE // 2, SIDE // 4
    return nn.Sequential(
        nn.Unflatten(1, (1, SIDE, SIDE)),
        Edges(),
        nn.RMSNorm((NUM_DIRECTIONS + 1, half, half), elementwise_affine=False),
        nn.ReLU(),
        nn.Conv2d(NUM_DIRECTIONS + 1, 5, 3, padding=1, bias=False),
        nn.RMSNorm((5, half, half), elementwise_affine=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(5, 12, 3, padding=1, bias=False),
        nn.RMSNorm((12, quarter, quarter), elementwise_affine=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12 * (quarter // 2) ** 2, 10, bias=False),
    )


# One scale a tensor: scales of rows and columns cost more than they save in so few weights.
RECIPE = Recipe(
    strokes,
    weight=1.5,
    epochs=30,
    batch=128,
    rate=1e-2,
    own_rate=3e-2,
    moved=0.0,
    focus=1.5,
    predictor="per_tensor",
    last="adaptive",
)


def run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train a network, and bound the error of the network in its file."""
    training = Digits(*(torch.cat(both) for both in zip(*load_training(MNIST), strict=True)))
    start = time.process_time()
    network, kolmogorov = train(RECIPE, training, job["seed"])
    seconds = time.process_time() - start
    num_bytes, decoded = through_file(RECIPE.make, network, kolmogorov)
    wrong = error(decoded, training)
    return {
        "bytes": num_bytes,
        "bits": kolmogorov.bits().total,
        "training_error": wrong,
        "bound": bound(8 * num_bytes, wrong, len(training.labels), DELTA, num_tried=NUM_TRIED),
        "test_error": error(decoded, load_test(MNIST)),
        "seconds": seconds,
    }


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of all seeds and their medians."""
    lines = [
        "| seed | bytes of the file | error on the training pictures | bound "
        "| error on the test pictures | processor time |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    columns = ("bytes", "training_error", "bound", "test_error", "seconds")
    median = {name: statistics.median(result[name] for result in results) for name in columns}
    lines += [
        f"| {result['seed']} | {result['bytes']:,.0f} | {result['training_error']:.2%} | "
        f"{result['bound']:.2%} | {result['test_error']:.2%} | {result['seconds']:.0f} s |"
        for result in (*results, {"seed": "median", **median})
    ]
    return "\n".join(lines)


def jobs_of(num_seeds: int) -> list[dict[str, Any]]:
    """Return the settings of all trainings, with the recipe, by which results are kept."""
    settings = {"network": RECIPE.make.__name__, **RECIPE.settings()}
    return [{**settings, "seed": seed} for seed in range(num_seeds)]


def main() -> int:
    """Train, bound and write a table."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    jobs = jobs_of(1 if arguments.quick else NUM_SEEDS)
    results = run_jobs(run, jobs, "bound", arguments.processes)
    print(table(results))
    if not arguments.quick:
        replace_block(PAGE, "bound", table(results))
    write_results(arguments.output, {"delta": DELTA, "num_tried": NUM_TRIED, "runs": results})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
