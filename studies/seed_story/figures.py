"""The figure of `seed_story`: losses over epochs, as bands over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from studies.gradient_bug.figures import FAINT, STYLE

COLOURS = {
    "hard": "#d55e00",
    "soft 0.01": "#a6cee3",
    "soft 0.1": "#56b4e9",
    "soft 1": "#08306b",
    "linear": "#009e73",
    "mse": "#7a5195",
}
ROWS = (
    ("combined_loss", "combined"),
    ("task_loss", "task loss"),
    ("kolmogorov_loss", "K, nats per weight"),
)


def draw_story(results: Sequence[Mapping[str, Any]], path: Path, block: int) -> None:
    """Draw medians over seeds as lines and the seeds' range as bands, a column an optimiser.

    ``mse`` has a K in other units and therefore no curve for K and combined.
    """
    optimizers = list(dict.fromkeys(run["optimizer"] for run in results))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 8.4), layout="constrained")
        axes = figure.subplots(len(ROWS), len(optimizers), sharex=True, sharey="row", squeeze=False)
        for row, (name, title) in enumerate(ROWS):
            for column, optimizer in enumerate(optimizers):
                axis = axes[row, column]
                runs = [run for run in results if run["optimizer"] == optimizer]
                _draw(axis, runs, name, block)
                axis.set_title(f"{optimizer}: {title}")
        for axis in axes[-1]:
            axis.set_xlabel("epoch")
        handles, labels = axes[1, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
        FigureCanvasAgg(figure)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def _draw(axis: Axes, runs: Sequence[Mapping[str, Any]], name: str, block: int) -> None:
    for method, colour in COLOURS.items():
        curves = [run[name] for run in runs if run["method"] == method]
        if not curves or (method == "mse" and name != "task_loss"):
            continue
        values = np.array(curves)
        epochs = (np.arange(values.shape[1]) + 0.5) * block
        axis.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0)
        axis.plot(epochs, np.median(values, 0), color=colour, linewidth=1.4, label=method)
    axis.grid(color=FAINT, alpha=0.25, linewidth=0.6)
    axis.set_xscale("log")
    if name != "kolmogorov_loss":
        axis.set_yscale("log")
