"""Does the combined loss of a long run with K never rise?

``python -m benchmarks.training.descent [--epochs 25000] [--hard] [--output ...]``; exit code 1 if
it rises. ``--hard`` plants the bug that cut K's gradient: the control, which must be found rising.

The test. A run is cut into windows of 500 epochs. A window's level is its mean combined loss. Its
noise: losses of neighbouring epochs are correlated, so a window is cut into ten blocks of 50
epochs, its own straight trend is taken out, and the standard error is the blocks' deviation over
the square root of ten, pooled over the window and the two on each side of it. A window has risen if
its level lies above the *lowest* of all earlier levels by more than five standard errors of that
difference. Comparing with the lowest, not with the one before, also finds a rise so slow that no
two neighbours differ. Five, because the lowest of up to 49 noisy levels is itself about 2 errors
too low, and a later one may be 2 too high: in 200 simulated runs of 25,000 epochs that fall to a
plateau, with noise correlated over 20 epochs, the largest false rise was 3.7 in the middle one and
4.7 in the worst tenth.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import bitfold
from benchmarks.harness.planted_bug import hard_binning
from benchmarks.harness.product import in_temporary_run
from benchmarks.harness.timing import argument_parser, write_results

WINDOW, NUM_BLOCKS, POOLED = 500, 10, 2
MOST_ERRORS = 5.0


@dataclass(frozen=True)
class Level:
    """A window's mean loss and the standard error of that mean."""

    first_epoch: int
    mean: float
    error: float


@dataclass(frozen=True)
class Rise:
    """A window's rise above the lowest earlier window."""

    window: Level
    lowest: Level

    @property
    def excess(self) -> float:
        """Return the difference of the two levels."""
        return self.window.mean - self.lowest.mean

    @property
    def num_errors(self) -> float:
        """Return the difference in its own standard errors."""
        return self.excess / math.hypot(self.window.error, self.lowest.error)


def levels(losses: NDArray[np.float64]) -> list[Level]:
    """Return the level of each whole window."""
    num_windows = len(losses) // WINDOW
    windows = losses[: num_windows * WINDOW].reshape(num_windows, NUM_BLOCKS, -1)
    blocks = windows.mean(axis=2)
    means = blocks.mean(axis=1)
    position = np.arange(NUM_BLOCKS) - (NUM_BLOCKS - 1) / 2
    slopes = (blocks * position).sum(axis=1) / (position**2).sum()
    residuals = blocks - means[:, None] - slopes[:, None] * position
    variances = (residuals**2).sum(axis=1) / (NUM_BLOCKS - 2) / NUM_BLOCKS
    found = []
    for index, mean in enumerate(means):
        near = variances[max(0, index - POOLED) : index + POOLED + 1]
        found.append(Level(index * WINDOW + 1, float(mean), math.sqrt(near.mean())))
    return found


def rises(of_windows: list[Level]) -> list[Rise]:
    """Return every window's rise over the lowest before it, negative where it fell."""
    found = []
    for index in range(1, len(of_windows)):
        lowest = min(of_windows[:index], key=lambda level: level.mean)
        found.append(Rise(of_windows[index], lowest))
    return found


def combined_losses(epochs: int, weight: float, seed: int, planted: bool) -> NDArray[np.float64]:
    """Train as users do, but without watchdogs that end a converged run; return combined losses."""
    config = bitfold.Config(
        target="ring",
        points=5000,
        epochs=epochs,
        seed=seed,
        kolmogorov_weight=weight,
        no_watchdog=("stagnation",),
        audit=not planted,
    )
    with hard_binning(planted):
        metrics = in_temporary_run(config, lambda run: run.metrics)
    return np.array(metrics["combined_loss"], dtype=np.float64)


def verdict(worst: Rise, num_risen: int) -> str:
    """Return the verdict as a line."""
    return (
        f"Largest rise: {worst.excess:+.6f}, {worst.num_errors:+.1f} standard errors (at most "
        f"{MOST_ERRORS:g}), epochs from {worst.window.first_epoch} against those from "
        f"{worst.lowest.first_epoch}. "
        + (f"SHORT: {num_risen} windows rise" if num_risen else "PASS: no window rises")
    )


def main() -> int:
    """Train, test every window, and say whether one rises."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=25_000)
    parser.add_argument("--kolmogorov-weight", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hard", action="store_true", help="plant hard binning: must rise")
    arguments = parser.parse_args()
    epochs = min(arguments.epochs, 3000) if arguments.quick else arguments.epochs
    losses = combined_losses(epochs, arguments.kolmogorov_weight, arguments.seed, arguments.hard)
    windows = levels(losses)
    risen = [rise for rise in rises(windows) if rise.num_errors > MOST_ERRORS]
    for level in windows[:: max(1, len(windows) // 10)]:
        print(f"epochs from {level.first_epoch:6d}: {level.mean:.6f} +- {level.error:.6f}")
    worst = max(rises(windows), key=lambda rise: rise.num_errors)
    print(f"{len(losses)} epochs, {len(windows)} windows. {verdict(worst, len(risen))}")
    results = {
        "epochs": len(losses),
        "kolmogorov_weight": arguments.kolmogorov_weight,
        "seed": arguments.seed,
        "hard_binning_planted": arguments.hard,
        "level_first": round(windows[0].mean, 6),
        "level_last": round(windows[-1].mean, 6),
        "largest_rise": round(worst.excess, 7),
        "largest_rise_in_standard_errors": round(worst.num_errors, 2),
        "num_windows_risen": len(risen),
    }
    write_results(arguments.output, results)
    return 1 if risen else 0


if __name__ == "__main__":
    sys.exit(main())
