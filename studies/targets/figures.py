"""The figure of `targets_study`: the result of each kind of targets along lambda."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from studies.gradient_bug.figures import FAINT, STYLE
from studies.targets.table import grouped, label

# Okabe and Ito's colours (2008); temperatures of soft targets go from light to dark blue.
COLOURS = {
    "soft 0.01": "#a6cee3",
    "soft 0.1": "#56b4e9",
    "soft 0.3": "#0072b2",
    "soft 1": "#08306b",
    "linear": "#d55e00",
    "noise": "#009e73",
}
TITLES = {
    "ring": "ring, [10]*8: mean squared error",
    "spiral": "spiral, [10]*8: mean squared error",
    "mnist": "MNIST, LeNet-300-100: cross-entropy",
}


def draw_frontiers(results: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the decoded network's loss over hard bits a weight: seeds as dots, medians as lines."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 4.0), layout="constrained")
        by_target = grouped(results, lambda r: r["target"])
        axes = figure.subplots(1, len(by_target), squeeze=False)[0]
        for axis, (target, runs) in zip(axes, by_target.items(), strict=True):
            _draw_target(axis, runs)
            axis.set_title(TITLES.get(target, target))
            axis.set_xlabel("hard bits a weight")
        axes[0].set_ylabel("of the decoded network, on unseen data")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
        FigureCanvasAgg(figure)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def _draw_target(axis: Axes, runs: Sequence[Mapping[str, Any]]) -> None:
    for name, same in grouped(runs, label).items():
        colour = COLOURS[name]
        axis.scatter(
            [run["bits_per_weight"] for run in same],
            [run["decoded_task"] for run in same],
            s=9,
            color=colour,
            alpha=0.45,
            linewidths=0,
        )
        medians = [
            (
                statistics.median(run["bits_per_weight"] for run in one),
                statistics.median(run["decoded_task"] for run in one),
            )
            for one in grouped(same, lambda run: run["weight"]).values()
        ]
        axis.plot(*zip(*medians, strict=True), color=colour, marker="o", markersize=4, label=name)
    axis.grid(color=FAINT, alpha=0.25, linewidth=0.6)
    axis.set_yscale("log")
