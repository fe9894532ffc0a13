"""When do audit and monitor find the seed's bug after a user plants it in a correct run?

``python -m benchmarks.audit.planted_live`` trains seven runs, plants the bug by a change of
``kolmogorov_targets`` to ``cut``, and notes when audit and trade monitor report. It writes the
table of docs/studio-bug.md. Counts of epochs do not depend on the load of the machine.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bitfold
from benchmarks.harness.folders import DOCS
from benchmarks.harness.pages import replace_block
from benchmarks.harness.timing import argument_parser, write_results
from bitfold.experiments import DEMO
from bitfold.training import Audited, EpochEnded

RESULTS, PAGE = DOCS / "results" / "planted_live.json", DOCS / "studio-bug.md"
STUDIO, DEEP = "the studio's ring", "[10]\\*8, coordinate predictor"
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    STUDIO: {**DEMO, "points": 5000},
    DEEP: {"target": "ring", "points": 5000, "kolmogorov_predictor": "coordinate"},
}
_AT_ONCE = ("before the first step", "when K was changed")


@dataclass(frozen=True)
class Case:
    """A run in which the bug is planted.

    Args:
        name: a name of `SETTINGS`.
        weight: lambda.
        seed: of the run.
        planted_after: epochs before the bug.
        most_epochs: epochs with the bug, after which the monitor is waited for no longer.
    """

    name: str
    weight: float
    seed: int
    planted_after: int
    most_epochs: int


CASES = (
    Case(STUDIO, 0.03, 0, 300, 1500),
    Case(STUDIO, 0.03, 1, 300, 1500),
    Case(STUDIO, 0.003, 0, 300, 1500),
    Case(STUDIO, 0.2, 0, 100, 2000),
    Case(STUDIO, 0.2, 1, 100, 2000),
    Case(DEEP, 0.2, 0, 100, 3000),
    Case(DEEP, 0.2, 1, 100, 3000),
)


def watch(case: Case, folder: str) -> dict[str, Any]:
    """Train a case; return K, and the epochs after which audit and monitor reported."""
    config = bitfold.Config(
        **{
            **SETTINGS[case.name],
            "seed": case.seed,
            "kolmogorov_weight": case.weight,
            "epochs": case.planted_after + case.most_epochs,
            "no_watchdog": ("stagnation",),
            "snapshot_format": "none",
            "output_dir": folder,
        }
    )
    found: dict[str, Any] = {"audit": None, "monitor": None}
    with bitfold.Session(config) as session:
        for event in session:
            since = session.epoch - case.planted_after
            if isinstance(event, Audited) and since >= 0:
                reporter = "audit" if event.occasion in _AT_ONCE else "monitor"
                if found[reporter] is None and not event.is_ok:
                    found[reporter] = since
            if not isinstance(event, EpochEnded):
                continue
            found["after"] = event.metrics["kolmogorov_loss"]
            if event.epoch == case.planted_after:
                found["before"] = found["after"]
                session.change(kolmogorov_targets="cut")
            if found["monitor"] is not None:
                break
    return {**vars(case), **found}


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the results as a table in Markdown."""
    head = "| run | lambda | seed | planted after | K before, after | monitor reports |"
    lines = [head, "| --- | --- | --- | --- | --- | --- |"]
    for one in results:
        ks = ", ".join(f"{one[name]:.3g}" for name in ("before", "after"))
        said = (
            f"nothing in {one['most_epochs']:,} epochs"
            if one["monitor"] is None
            else f"after {one['monitor']:,} epochs"
        )
        numbers = f"{one['weight']:g} | {one['seed']} | {one['planted_after']}"
        lines.append(f"| {one['name']} | {numbers} | {ks} | {said} |")
    return "\n".join(lines)


def main() -> int:
    """Train all cases, and write the table; fail if an audit is late."""
    parser = argument_parser(__doc__.splitlines()[0])
    arguments = parser.parse_args()
    if arguments.output is None and not arguments.quick:
        arguments.output = RESULTS
    results = []
    for case in CASES[:1] if arguments.quick else CASES:
        with tempfile.TemporaryDirectory(prefix="bitfold-") as folder:
            results.append(watch(case, f"{folder}/run"))
        print(results[-1], flush=True)
    write_results(arguments.output, {"runs": results})
    if not arguments.quick:
        replace_block(PAGE, "planted", table(results))
    late = [one for one in results if one["audit"] != 0]
    print(f"SHORT: audits were late: {late}" if late else "PASS: each audit reported at once")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
