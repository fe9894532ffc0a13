"""Which predictor should a newcomer get, and what does K in every k-th step alone cost or save?

The two tasks are those of `studies`. Predictors: learned ranges and linear targets throughout.
``every``: on the pictures with the draw-poly programs' settings, on MNIST with ``row_column``.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.harness.folders import DOCS
from benchmarks.harness.jobs import default_processes, run_jobs
from benchmarks.harness.pages import replace_block
from benchmarks.harness.timing import argument_parser, write_results
from bitfold.kolmogorov import PREDICTORS
from studies.targets.table import grouped
from studies.tasks import learn_digits, learn_picture

PICTURES = ("ring", "spiral")
EVERY = (1, 2, 4, 8)
LAMBDAS = {"ring": (0.003, 0.01), "spiral": (0.003, 0.01), "mnist": (0.1, 0.4)}
PICTURE_EPOCHS, LENET_EPOCHS = 1000, 4

Result = Mapping[str, Any]


def study_run(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train one task under one setting."""
    choice = {"predictor": job["predictor"], "targets": job["targets"], "every": job["every"]}
    if job["target"] == "mnist":
        return learn_digits(job["seed"], job["epochs"], job["weight"], choice)
    settings = {f"kolmogorov_{name}": value for name, value in choice.items()}
    settings |= {"kolmogorov_range": job["range"], "kolmogorov_weight": job["weight"]}
    return learn_picture(job["target"], job["epochs"], {**settings, "seed": job["seed"]})


def study_jobs(seeds: int, shorter: int) -> list[dict[str, Any]]:
    """Return the settings of all runs."""
    return [
        {
            "target": target,
            "epochs": max(1, (LENET_EPOCHS if target == "mnist" else PICTURE_EPOCHS) // shorter),
            "weight": weight,
            "seed": seed,
            **setting,
        }
        for target, weights in LAMBDAS.items()
        for weight in weights
        for seed in range(seeds)
        for setting in _settings(target)
    ]


def _settings(target: str) -> list[dict[str, Any]]:
    usual = {"range": "auto", "targets": "linear", "every": 1}
    of_programs = {"predictor": "coordinate", "range": "fixed", "targets": "soft"}
    of_digits = {"predictor": "row_column", "range": "auto", "targets": "linear"}
    of_every = of_digits if target == "mnist" else of_programs
    found = [{"predictor": name, **usual} for name in PREDICTORS]
    return found + [s for k in EVERY if (s := {**of_every, "every": k}) not in found]


def predictor_table(results: Sequence[Result]) -> str:
    """Return, in Markdown, the whole description and the loss for each predictor."""
    head = ["learns", "lambda", "predictor", "all bits", "hard bits a weight", "decoded"]
    chosen = [r for r in results if r["range"] == "auto" and r["every"] == 1]
    return _table(
        [*head, "seconds"],
        chosen,
        lambda r: r["predictor"],
        [
            lambda runs: _spread(runs, "total_bits", ",.0f"),
            lambda runs: _spread(runs, "bits_per_weight", ".2f"),
            lambda runs: _spread(runs, "decoded_task", ".4f"),
            lambda runs: f"{_median(runs, 'seconds'):.1f}",
        ],
    )


def every_table(results: Sequence[Result]) -> str:
    """Return, in Markdown, bits, loss and seconds for each ``every``."""
    of_every = [r for r in results if r["range"] == "fixed" or r["target"] == "mnist"]
    return _table(
        ["learns", "lambda", "every", "hard bits a weight", "decoded", "seconds"],
        [r for r in of_every if r["target"] != "mnist" or r["predictor"] == "row_column"],
        lambda r: r["every"],
        [
            lambda runs: _spread(runs, "bits_per_weight", ".2f"),
            lambda runs: _spread(runs, "decoded_task", ".4f"),
            lambda runs: f"{_median(runs, 'seconds'):.1f}",
        ],
    )


def _table(
    head: Sequence[str],
    results: Sequence[Result],
    key: Callable[[Result], Any],
    columns: Sequence[Callable[[Sequence[Result]], str]],
) -> str:
    lines = [head, ["---"] * len(head)]
    for (target, weight), same in grouped(results, lambda r: (r["target"], r["weight"])).items():
        for name, runs in grouped(same, key).items():
            lines.append([target, f"{weight:g}", str(name), *(column(runs) for column in columns)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _median(runs: Sequence[Result], name: str) -> float:
    middle: float = statistics.median(run[name] for run in runs)
    return middle


def _spread(runs: Sequence[Result], name: str, form: str) -> str:
    values = sorted(run[name] for run in runs)
    return f"{_median(runs, name):{form}} ({values[0]:{form}} to {values[-1]:{form}})"


def main() -> int:
    """Train and write tables."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=default_processes())
    arguments = parser.parse_args()
    seeds, shorter = (1, 10) if arguments.quick else (arguments.seeds, 1)
    jobs = study_jobs(seeds, shorter)
    results = run_jobs(study_run, jobs, "predictors", arguments.processes)
    tables = {"predictors": predictor_table(results), "every": every_table(results)}
    print(*tables.values(), sep="\n\n")
    if not arguments.quick:
        for (name, table), page in zip(tables.items(), ("own-loop", "kolmogorov"), strict=True):
            replace_block(DOCS / f"{page}.md", name, table)
    write_results(arguments.output, {"runs": results})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
