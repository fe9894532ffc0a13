"""Does the trade monitor find a planted cut in every run, and nothing in correct ones?

``python -m benchmarks.audit.trade_monitor`` trains [10]*8 on the ring, Adam 0.001, lambda 0.2: with
hard binning planted for 4,000 epochs (each must be reported) and with soft targets for 10,000 (none
may be), 5 seeds each; then correct runs of other kinds, and losses that are nothing but noise. A
quarter of an hour on two cores. The monitor sees each run twice: once an epoch, and once a step, as
runs do.

``--curves FOLDER`` keeps the losses of the runs there; ``--replay FOLDER`` takes them from there
and trains nothing. ``--golden FOLDER`` keeps what of them the tests replay.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import bitfold
from benchmarks.audit.trade_noise import noise_alarms
from benchmarks.harness.folders import DOCS
from benchmarks.harness.pages import replace_block
from benchmarks.harness.planted_bug import hard_binning
from benchmarks.harness.product import in_temporary_run
from benchmarks.harness.timing import argument_parser, write_results
from bitfold.audit import Trade, TradeMonitor
from bitfold.training.step.learner import Learner

LAMBDA = 0.2
PLANTED_EPOCHS, CORRECT_EPOCHS, OTHER_EPOCHS = 4_000, 10_000, 1_500
#: The numbers of first steps, and the runs, that the tests replay.
GOLDEN_STEPS = {"hard": 15_000, "soft": 10_000}
RESULTS, PAGE = DOCS / "results" / "trade.json", DOCS / "trade-monitor.md"


@dataclass(frozen=True)
class Case:
    """One training.

    Args:
        name: of its curves' file.
        planted: whether K's gradient is cut, so that the monitor has to report.
        settings: settings beside the ring and its points.
    """

    name: str
    planted: bool
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Curves:
    """The losses of a training in float32, as the training computed them.

    Args:
        epochs: (epochs, 2), mean task loss and mean K of each epoch.
        steps: (steps, 2), task loss and K of each step; empty if they were not kept.
        weight: lambda.
    """

    epochs: NDArray[np.float32]
    steps: NDArray[np.float32]
    weight: float


def cases(seeds: int, shorter: int) -> list[Case]:
    """Return all trainings: the two main kinds, and other correct ones."""
    found = []
    for seed in range(seeds):
        planted = {"epochs": PLANTED_EPOCHS // shorter, "seed": seed, "kolmogorov_weight": LAMBDA}
        correct = {**planted, "epochs": CORRECT_EPOCHS // shorter}
        found += [Case(f"hard-{seed}", True, planted), Case(f"soft-{seed}", False, correct)]
    sgd = {"optimizer": "sgd", "learning_rate": 0.05, "batch_size": 128}
    others: dict[str, dict[str, Any]] = {
        "soft-lambda-0.003": {"kolmogorov_weight": 0.003},
        "soft-lambda-0.01": {"kolmogorov_weight": 0.01},
        "soft-lambda-0.03": {"kolmogorov_weight": 0.03},
        "soft-sgd-batch-128": {"kolmogorov_weight": 0.01, **sgd},
        "soft-adam-0.01": {"kolmogorov_weight": 0.01, "learning_rate": 0.01},
    }
    epochs = OTHER_EPOCHS // shorter
    return found + [Case(n, False, {"epochs": epochs, **each}) for n, each in others.items()]


def train(case: Case) -> Curves:
    """Train a case and return its losses."""
    config = bitfold.Config(
        target="ring",
        points=5000,
        no_watchdog=("stagnation",),
        audit=False,
        **case.settings,
        epoch_loop="stepwise",  # the loop whose steps are observed
    )
    with hard_binning(case.planted), losses_of_steps() as steps:
        metrics = in_temporary_run(config, lambda run: run.metrics)
    columns = [metrics["task_loss"], metrics["kolmogorov_loss"]]
    return Curves(
        np.array(columns, dtype=np.float32).T,
        torch.stack(steps).numpy().astype(np.float32),
        float(config.kolmogorov.weight),
    )


@contextmanager
def losses_of_steps() -> Iterator[list[Tensor]]:
    """Collect the task loss and K of every step trained within this context."""
    found: list[Tensor] = []
    step = Learner._step

    def observed(learner: Learner, points: Tensor, wanted: Tensor) -> list[Tensor]:
        parts = step(learner, points, wanted)
        found.append(torch.stack(parts))
        return parts

    with mock.patch.object(Learner, "_step", observed):
        yield found


def first_trade(losses: NDArray[np.float32], weight: float) -> tuple[int, Trade] | None:
    """Return the update at which a monitor reports a trade, and the report."""
    monitor = TradeMonitor()
    for update, (task, k) in enumerate(losses.tolist(), 1):
        trade = monitor.update(task, k, weight)
        if trade is not None:
            return update, trade
    return None


def save(curves: Curves, path: Path, num_steps: int | None = None) -> None:
    """Write losses as .npz, of all steps or only of the first ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    steps, weight = curves.steps[:num_steps], np.array(curves.weight)
    np.savez_compressed(path, epochs=curves.epochs, steps=steps, weight=weight)


def load(path: Path) -> Curves:
    """Read losses that `save` wrote."""
    with np.load(path) as arrays:
        return Curves(arrays["epochs"], arrays["steps"], float(arrays["weight"]))


def record(case: Case, curves: Curves) -> dict[str, Any]:
    """Watch a training by epochs and by steps; print and return the reports."""
    result: dict[str, Any] = {"name": case.name, "planted": case.planted}
    for unit, losses in (("epoch", curves.epochs), ("step", curves.steps)):
        result[f"num_{unit}s"] = len(losses)
        found = first_trade(losses, curves.weight)
        what = "nothing" if found is None else f"reported at {found[0]:,}: {found[1]}"
        print(f"{case.name}, {len(losses):,} {unit}s: {what}", flush=True)
        result[f"by_{unit}"] = found and as_numbers(*found)
    return result


def as_numbers(reported_at: int, trade: Trade) -> dict[str, Any]:
    """Return a report as JSON values."""
    return {
        "reported_at": reported_at,
        "payer": trade.payer,
        "paid": float(f"{trade.paid:.3g}"),
        "gained": float(f"{trade.gained:.2g}"),
        "first_update": trade.first_update,
        "last_update": trade.last_update,
        "standard_errors": round(trade.num_errors, 1),
    }


def write_tables(
    runs: Sequence[Mapping[str, Any]], noise: Sequence[Mapping[str, Any]]
) -> tuple[str, str]:
    """Write, in Markdown, the reports of each training, and the false alarms of noise."""
    head = ["| training | by epochs | by steps |", "| --- | --- | --- |"]
    units = ("epoch", "step")
    lines = [
        f"| {run['name']} | " + " | ".join(_cell(run, unit) for unit in units) + " |"
        for run in runs
    ]
    alarms = ["| losses | alarms in runs of 4,000 updates |", "| --- | --- |"]
    alarms += [f"| {one['kind']} | {one['alarms']} of {one['runs']} |" for one in noise]
    return "\n".join(head + lines), "\n".join(alarms)


def _cell(run: Mapping[str, Any], unit: str) -> str:
    found = run[f"by_{unit}"]
    if found is None:
        return f"nothing in {run[f'num_{unit}s']:,}"
    return (
        f"at {found['reported_at']:,}, of {found['first_update']:,} to {found['last_update']:,}: "
        f"{found['paid']:g} for {found['gained']:g}"
    )


def main() -> int:
    """Train or replay, watch, and say whether every verdict is right."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="runs of each of the first two kinds")
    parser.add_argument("--curves", type=Path, help="keep the losses of each training here")
    parser.add_argument("--golden", type=Path, help="keep what the tests replay here")
    parser.add_argument("--replay", type=Path, help="take them from here instead of training")
    arguments = parser.parse_args()
    if arguments.output is None and not arguments.quick:
        arguments.output = RESULTS
    runs = []
    for case in cases(arguments.seeds, shorter=50 if arguments.quick else 1):
        kept = arguments.replay and load(arguments.replay / f"{case.name}.npz")
        curves = kept or train(case)
        name = f"{case.name}.npz"
        if arguments.curves is not None:
            save(curves, arguments.curves / name)
        if arguments.golden is not None:
            kind, which = case.name.split("-", 1)
            num_steps = GOLDEN_STEPS[kind] if which.isdigit() else 0
            save(curves, arguments.golden / name, num_steps)
        runs.append(record(case, curves))
    noise = noise_alarms(seeds=2 if arguments.quick else 100)
    results = {"replayed": arguments.replay is not None, "runs": runs, "noise": noise}
    write_results(arguments.output, results)
    if not arguments.quick:
        for name, table in zip(("runs", "noise"), write_tables(runs, noise), strict=True):
            replace_block(PAGE, name, table)
    missed = [run["name"] for run in runs if run["planted"] != (run["by_step"] is not None)]
    print(
        f"SHORT: misjudged by steps: {', '.join(missed)}" if missed else "PASS: all rightly judged"
    )
    return 1 if missed and not arguments.quick else 0


if __name__ == "__main__":
    sys.exit(main())
