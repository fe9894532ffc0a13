"""What happens to training when K's gradient is cut, and how much of it soft targets pass on?

``python -m studies.gradient_bug.study [--seeds 5] [--epochs 6000]`` remakes the figures and numbers
of docs/gradient-bug.md: real runs, with hard binning planted for the length of this benchmark, and
slopes taken from bitfold's own code length. ``--quick`` leaves the docs alone.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import bitfold
from benchmarks.harness.folders import DOCS
from benchmarks.harness.planted_bug import hard_binning
from benchmarks.harness.product import in_temporary_run
from benchmarks.harness.timing import argument_parser, write_results
from bitfold.kolmogorov import KINDS, Bins, Prediction, SoftTargets
from studies.gradient_bug.figures import draw_runs, draw_slopes
from studies.gradient_bug.numbers import quote_numbers

LAMBDA = 0.2
SMOOTHING_EPOCHS = 100
TEMPERATURES = (0.01, 0.1, 0.25, 1.0)
NUM_WEIGHTS, NUM_BINS, WEIGHT_SPREAD = 20_000, 256, 0.5
COLUMNS = ("combined_loss", "task_loss", "kolmogorov_loss", "grad_norm_kolmogorov_network")

Columns = dict[str, NDArray[np.float64]]


def run_columns(epochs: int, seed: int, hard: bool) -> Columns:
    """Train [10]*8 on the ring; return metrics by name, NaN where an epoch has none."""
    config = bitfold.Config(
        target="ring",
        points=5000,
        batch_size=1024,
        epochs=epochs,
        seed=seed,
        kolmogorov_weight=LAMBDA,
        no_watchdog=("stagnation",),
        audit=not hard,
    )
    with hard_binning(hard):
        metrics = in_temporary_run(config, lambda run: run.metrics)
    return {name: np.array(metrics[name], dtype=np.float64) for name in COLUMNS}


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over 100 epochs around each epoch that has enough epochs on both sides."""
    kernel = np.full(SMOOTHING_EPOCHS, 1 / SMOOTHING_EPOCHS)
    return np.convolve(values, kernel, mode="valid")


def largest_rise(means: NDArray[np.float64]) -> tuple[int, int]:
    """Return the indices between which a curve rises most, the lower value first."""
    lowest_so_far = np.minimum.accumulate(means)
    top = int((means - lowest_so_far).argmax())
    return int(means[: top + 1].argmin()), top


def story(columns: Columns) -> dict[str, Any]:
    """Return the combined loss's largest rise, its final values, and K's gradient norms."""
    combined = smoothed(columns["combined_loss"])
    bottom, top = largest_rise(combined)
    norms = columns["grad_norm_kolmogorov_network"]
    measured = norms[~np.isnan(norms)]
    return {
        "before_largest_rise": _at(columns, bottom),
        "after_largest_rise": _at(columns, top),
        "largest_rise": round(float(combined[top] - combined[bottom]), 4),
        "end": _at(columns, len(combined) - 1),
        "gradient_norm_of_k_to_network": {
            "smallest": float(f"{measured.min():.3g}"),
            "median": float(f"{np.median(measured):.3g}"),
            "largest": float(f"{measured.max():.3g}"),
        },
    }


def _at(columns: Columns, index: int) -> dict[str, float]:
    names = ("combined_loss", "task_loss", "kolmogorov_loss")
    means = {name: round(float(smoothed(columns[name])[index]), 4) for name in names}
    return {"epoch": index + SMOOTHING_EPOCHS // 2, **means}


@dataclass(frozen=True, eq=False)
class SlopeShares:
    """The slopes that soft targets of one temperature pass on.

    Args:
        temperature: T, in bins.
        offsets: positions of weights between two bins, 0 to 1, ascending.
        shares: passed slope over true slope, for the same weights.
    """

    temperature: float
    offsets: NDArray[np.float64]
    shares: NDArray[np.float64]

    def record(self) -> dict[str, float]:
        """Return the numbers that the docs quote."""
        return {
            "temperature": self.temperature,
            "share_under_1_percent": round(float((self.shares < 0.01).mean()), 3),
            "share_under_10_percent": round(float((self.shares < 0.1).mean()), 3),
            "median": float(f"{np.median(self.shares):.3g}"),
            "largest": float(f"{self.shares.max():.3g}"),
        }


def slope_shares(temperature: float) -> SlopeShares:
    """Return the slope that reaches each weight over the true one, by automatic differentiation.

    Weights are drawn from a Gaussian of standard deviation 0.5. The prediction says just that: a
    Gaussian, so that the true code length of a weight w is w^2 / (2 * 0.5^2) plus a constant and
    its slope is w / 0.5^2, which no binning disturbs. Weights within a bin of the middle, where
    that slope vanishes, are left out.
    """
    generator = torch.Generator().manual_seed(0)
    bins = Bins(NUM_BINS, -3.0, 3.0)
    drawn = torch.randn(NUM_WEIGHTS, generator=generator, dtype=torch.float64) * WEIGHT_SPREAD
    weights = bins.clamp(drawn[drawn.abs() > bins.width]).requires_grad_()
    centres = bins.centres(torch.arange(NUM_BINS), torch.float64)
    log_density = -centres.square() / (2 * WEIGHT_SPREAD**2)
    prediction = Prediction(
        torch.zeros(len(weights), 1, dtype=torch.float64),
        torch.zeros(NUM_BINS, 1, dtype=torch.float64),
        log_density,
    )
    code_length = KINDS["cross_entropy"](bins)
    targets = SoftTargets(temperature, NUM_BINS)
    nats = code_length.summed_nats(weights, prediction, targets)
    (passed,) = torch.autograd.grad(nats, weights)
    true = weights.detach() / WEIGHT_SPREAD**2
    offsets = bins.continuous_index(weights.detach()).remainder(1.0)
    order = offsets.argsort()
    return SlopeShares(temperature, offsets[order].numpy(), (passed / true)[order].numpy())


def train_both_kinds(epochs: int, num_seeds: int) -> dict[str, list[Columns]]:
    """Train with hard and with soft bins from each seed."""
    runs: dict[str, list[Columns]] = {"hard": [], "soft": []}
    for seed in range(num_seeds):
        for kind, columns in runs.items():
            columns.append(run_columns(epochs, seed, hard=kind == "hard"))
            print(f"seed {seed}, {kind} bins: {story(columns[-1])}", flush=True)
    return runs


def main() -> int:
    """Train, measure, draw, and write the numbers."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=5, help="runs of each kind")
    arguments = parser.parse_args()
    if arguments.output is None:
        place = Path(tempfile.gettempdir()) if arguments.quick else DOCS / "results"
        arguments.output = place / "gradient_bug.json"
    epochs = min(arguments.epochs, 400) if arguments.quick else arguments.epochs
    runs = train_both_kinds(epochs, arguments.seeds)
    slopes = [slope_shares(temperature) for temperature in TEMPERATURES]
    stories = {kind: [story(columns) for columns in found] for kind, found in runs.items()}
    figures = arguments.output.parent if arguments.quick else DOCS / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    rise = largest_rise(smoothed(runs["hard"][0]["combined_loss"]))
    draw_runs(runs, figures / "gradient-bug-runs.png", smoothing=SMOOTHING_EPOCHS, rise=rise)
    draw_slopes(slopes, figures / "gradient-bug-slopes.png")
    results = {
        "epochs": epochs,
        "kolmogorov_weight": LAMBDA,
        "smoothing_epochs": SMOOTHING_EPOCHS,
        "runs": stories,
        "slopes": [slope.record() for slope in slopes],
    }
    write_results(arguments.output, results)
    if not arguments.quick:
        quote_numbers(results, DOCS / "gradient-bug.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
