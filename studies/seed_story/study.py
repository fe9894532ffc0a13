"""What happens when the story's run is done again, with hard bins, soft ones, linear ones and mse?

The ring, [10]*8, 24,000 epochs of one batch, by SGD and by Adam, at a lambda at which the network
still learns the picture; five seeds each. Hard binning is planted as `planted_bug` does, the
audit that would stop such a run is off.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bitfold
from benchmarks.harness.folders import DOCS
from benchmarks.harness.jobs import default_processes, run_jobs
from benchmarks.harness.pages import replace_block
from benchmarks.harness.planted_bug import hard_binning
from benchmarks.harness.product import in_temporary_run
from benchmarks.harness.timing import argument_parser, write_results
from studies.seed_story.figures import draw_story
from studies.tasks import Ending

LAMBDA = 0.003
NUM_POINTS = 1024
BLOCK = 24
COLUMNS = ("combined_loss", "task_loss", "kolmogorov_loss")
#: The number of points of each curve in the results, evenly spaced on a logarithmic axis.
KEPT_POINTS = 32

#: Each method's name and its other settings.
METHODS: Mapping[str, Mapping[str, Any]] = {
    "hard": {},
    "soft 0.01": {"kolmogorov_temperature": 0.01},
    "soft 0.1": {},
    "soft 1": {"kolmogorov_temperature": 1.0},
    "linear": {"kolmogorov_targets": "linear"},
    "mse": {"kolmogorov_loss_type": "mse"},
}
OPTIMIZERS: Mapping[str, Mapping[str, Any]] = {
    "adam": {"optimizer": "adam", "learning_rate": 1e-3},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.1},
}


def story_run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train once; return losses as means over 24 epochs, and the decoded network's results."""
    config = bitfold.Config(
        target="ring",
        points=NUM_POINTS,
        epochs=job["epochs"],
        seed=job["seed"],
        kolmogorov_weight=LAMBDA,
        no_watchdog=("stagnation", "loop"),
        audit=False,
        save_interval="1000000",
        checkpoint_interval=1_000_000,
        **OPTIMIZERS[job["optimizer"]],
        **METHODS[job["method"]],
    )
    ending = Ending()
    with hard_binning(job["method"] == "hard"):
        metrics = in_temporary_run(config, lambda run: run.metrics, ending)
    curves = {name: _blocks(metrics[name]) for name in COLUMNS}
    return {**ending.measured(config.target), **curves}


def _blocks(values: Sequence[float | None]) -> list[float]:
    numbers = np.array(values, dtype=np.float64)
    whole = numbers[: len(numbers) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(1)
    return [float(f"{value:.6g}") for value in whole]


def story_jobs(seeds: int, epochs: int) -> list[dict[str, Any]]:
    """Return the settings of all runs, with the question's main runs first."""
    temperatures = ("soft 0.01", "soft 1")
    return [
        {"optimizer": optimizer, "method": method, "epochs": epochs, "seed": seed}
        for methods in ([m for m in METHODS if m not in temperatures], temperatures)
        for optimizer in OPTIMIZERS
        for seed in range(seeds)
        for method in methods
    ]


def rise_from_lowest(curve: NDArray[np.float64]) -> float:
    """Return the rise of a curve's end above its lowest point."""
    return float(curve[-1] - curve.min())


def write_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return, in Markdown, each method's final values under each optimiser."""
    lines = [
        "| optimiser | method | task loss | K | combined | above its lowest | hard bits a weight | "
        "decoded task loss | decoded combined |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for optimizer in OPTIMIZERS:
        for method in METHODS:
            runs = [r for r in results if (r["optimizer"], r["method"]) == (optimizer, method)]
            ends = [[run[name][-1] for run in runs] for name in COLUMNS]
            rises = [rise_from_lowest(np.array(run["combined_loss"])) for run in runs]
            cells = (
                optimizer,
                method,
                _spread(ends[1], ".4f"),
                _spread(ends[2], ".3f"),
                _spread(ends[0], ".4f"),
                _spread(rises, ".5f"),
                _spread([run["bits_per_weight"] for run in runs], ".2f"),
                _spread([run["decoded_task"] for run in runs], ".4f"),
                _spread([_decoded_combined(run) for run in runs], ".4f"),
            )
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _decoded_combined(run: Mapping[str, Any]) -> float:
    return float(run["decoded_task"] + LAMBDA * math.log(2) * run["bits_per_weight"])


def _spread(values: Sequence[float], form: str) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):{form}} ({low:{form}} to {high:{form}})"


def main() -> int:
    """Train, write the table and draw."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=24_000)
    parser.add_argument("--processes", type=int, default=default_processes())
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seeds, arguments.epochs = 1, 480
    jobs = story_jobs(arguments.seeds, arguments.epochs)
    results = run_jobs(story_run, jobs, "seed-story", arguments.processes)
    table = write_table(results)
    print(table)
    if not arguments.quick:
        draw_story(results, DOCS / "figures" / "seed-story.png", BLOCK)
        replace_block(DOCS / "seed-story.md", "table", table)
    runs = [thinned(run) for run in results]
    write_results(arguments.output, {"lambda": LAMBDA, "block": BLOCK, "runs": runs})
    return 0


def thinned(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run with few points of each curve; ``blocks`` has their indices, from 0."""
    num_blocks = len(run[COLUMNS[0]])
    blocks = np.unique(np.geomspace(1, num_blocks, KEPT_POINTS).round().astype(int) - 1).tolist()
    curves = {name: [run[name][block] for block in blocks] for name in COLUMNS}
    return {**run, "blocks": blocks, **curves}


if __name__ == "__main__":
    raise SystemExit(main())
