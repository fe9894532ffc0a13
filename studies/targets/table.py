"""The table of `targets_study`: medians over seeds, and the winners."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]


def label(result: Result) -> str:
    """Return the name of a run's targets, such as ``soft 0.1``."""
    name: str = result["targets"]
    return f"{name} {result['temperature']:g}" if name == "soft" else name


def objective(result: Result) -> float:
    """Return the objective on disk: decoded task loss + lambda * hard K."""
    nats = math.log(2) * result["bits_per_weight"]
    return float(result["decoded_task"] + result["weight"] * nats)


def grouped(results: Sequence[Result], key: Callable[[Result], Any]) -> dict[Any, list[Result]]:
    """Return results by a key, in the order in which the keys first appear."""
    groups: dict[Any, list[Result]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return groups


def write_table(results: Sequence[Result]) -> str:
    """Return the table in Markdown: one row a picture, lambda and kind of targets."""
    lines = [
        "| learns | lambda | targets | hard bits a weight | task loss | decoded | "
        "decoded + lambda K | covered |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (target, weight), same in grouped(results, lambda r: (r["target"], r["weight"])).items():
        by_label = grouped(same, label)
        best = min(by_label, key=lambda name: _median(by_label[name], objective))
        for name, runs in by_label.items():
            mark = "**" if name == best else ""
            cells = (
                target,
                f"{weight:g}",
                f"{mark}{name}{mark}",
                _spread(runs, lambda r: r["bits_per_weight"], ".2f"),
                _spread(runs, lambda r: r["task"], ".4f"),
                _spread(runs, lambda r: r["decoded_task"], ".4f"),
                f"{mark}{_median(runs, objective):.4f}{mark}",
                f"{_median(runs, lambda r: r['coverage']):.2f}",
            )
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def winners(results: Sequence[Result]) -> list[str]:
    """Return each kind of targets against ``soft 0.1``, and linear targets against the best."""
    lines = []
    for name in dict.fromkeys(map(label, results)):
        digits = [r["seconds"] for r in results if label(r) == name and r["target"] == "mnist"]
        lines.append(
            f"- `{name}`: decoded + lambda K is {_against(results, name, 'soft 0.1')}; LeNet's "
            f"training took {statistics.median(digits):.0f} s of processor time"
        )
    for target, runs in grouped(results, lambda r: r["target"]).items():
        found = _against(runs, "linear", "soft 0.3")
        lines.append(f"- `linear` on {target}: decoded + lambda K is {found}")
    return lines


def _against(results: Sequence[Result], name: str, other: str) -> str:
    """Compare run by run, from the same start."""
    same_start = grouped(results, lambda r: (r["target"], r["weight"], r["seed"]))
    ratios = [
        objective(by_label[name][0]) / objective(by_label[other][0])
        for by_label in (grouped(runs, label) for runs in same_start.values())
    ]
    wins = sum(ratio < 1 for ratio in ratios)
    return (
        f"{statistics.median(ratios):.3f} times that of {other} in the median, lower in {wins} of "
        f"{len(ratios)} runs"
    )


def _median(runs: Sequence[Result], value: Callable[[Result], float]) -> float:
    return statistics.median(map(value, runs))


def _spread(runs: Sequence[Result], value: Callable[[Result], float], form: str) -> str:
    values = sorted(map(value, runs))
    low, high = values[0], values[-1]
    return f"{statistics.median(values):{form}} ({low:{form}} to {high:{form}})"
