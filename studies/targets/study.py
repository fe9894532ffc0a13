"""Which targets should a newcomer get? K in hard bits against task loss, for all of them.

The two tasks are those of `studies`: pictures with the coordinate predictor and 256 bins in -3 to
3, MNIST with a scale for each tensor, row and column and learned ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.harness.folders import DOCS
from benchmarks.harness.jobs import default_processes, run_jobs
from benchmarks.harness.pages import replace_block
from benchmarks.harness.timing import argument_parser, write_results
from studies.targets.figures import draw_frontiers
from studies.targets.table import winners, write_table
from studies.tasks import learn_digits, learn_picture

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


def picture_run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train on a picture."""
    settings = {
        "seed": job["seed"],
        "kolmogorov_weight": job["weight"],
        "kolmogorov_targets": job["targets"],
        "kolmogorov_temperature": job["temperature"],
    }
    return learn_picture(job["target"], job["epochs"], settings)


def lenet_run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train on MNIST."""
    settings = {
        "predictor": "row_column",
        "targets": job["targets"],
        "temperature": job["temperature"],
    }
    return learn_digits(job["seed"], job["epochs"], job["weight"], settings)


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
    """Train, write the table and draw."""
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
        replace_block(DOCS / "targets.md", "winners", summary)
        replace_block(DOCS / "targets.md", "table", table)
    write_results(arguments.output, {"runs": results})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
