"""The figures of docs/gradient-bug.md, drawn from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Okabe and Ito's colours (2008), which colour-blind readers tell apart.
HARD, SOFT = "#d55e00", "#0072b2"
BY_TEMPERATURE = ("#d55e00", "#0072b2", "#009e73", "#7a5195")
INK, FAINT = "#222222", "#8a8a8a"
STYLE: Final[Any] = {
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
}

Columns = Mapping[str, NDArray[np.float64]]


class Slopes(Protocol):
    """The slopes of one temperature for `draw_slopes`."""

    @property
    def temperature(self) -> float:
        """T, in bins."""

    @property
    def offsets(self) -> NDArray[np.float64]:
        """Return the positions of weights between two bins, 0 to 1, ascending."""

    @property
    def shares(self) -> NDArray[np.float64]:
        """Return passed slope over true slope, for the same weights."""


def draw_runs(
    runs: Mapping[str, Sequence[Columns]], path: Path, *, smoothing: int, rise: tuple[int, int]
) -> None:
    """Draw combined loss, its two parts and the norm of K's gradient, for hard and soft bins.

    The first seed is drawn thick and the others thin; losses as means over ``smoothing`` epochs.
    ``rise`` holds the indices of means between which the thick hard run rises most.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 6.2), layout="constrained")
        axes = figure.subplots(2, 2, sharex=True)
        panels = (
            (axes[0, 0], "combined_loss", "Combined loss: task + 0.2 K"),
            (axes[0, 1], "kolmogorov_loss", "K, nats per weight"),
            (axes[1, 0], "task_loss", "Task loss"),
        )
        for axis, name, title in panels:
            _draw_column(axis, runs, name, smoothing)
            axis.set_title(title)
        _draw_norms(axes[1, 1], runs)
        _mark_rise(axes[0, 0], runs["hard"][0]["combined_loss"], smoothing, rise)
        for axis in axes[1]:
            axis.set_xlabel("epoch")
        _save(figure, path)


def _means(
    values: NDArray[np.float64], smoothing: int
) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    means = np.convolve(values, np.full(smoothing, 1 / smoothing), mode="valid")
    return np.arange(len(means)) + smoothing // 2, means


def _draw_column(
    axis: Axes, runs: Mapping[str, Sequence[Columns]], name: str, smoothing: int
) -> None:
    settled = []
    for kind, colour in (("soft", SOFT), ("hard", HARD)):
        for seed, columns in enumerate(runs[kind]):
            epochs, means = _means(columns[name], smoothing)
            thick = seed == 0
            axis.plot(
                epochs,
                means,
                color=colour,
                linewidth=2.2 if thick else 0.8,
                alpha=1.0 if thick else 0.45,
                zorder=3 if thick else 2,
            )
            settled.append(means[len(means) // 8 :])
            if thick:
                _label_end(axis, epochs[-1], means[-1], f"{kind} bins", colour)
    low, high = min(m.min() for m in settled), max(m.max() for m in settled)
    margin = 0.12 * (high - low)
    axis.set_ylim(low - margin, high + margin)
    axis.set_xlim(0, None)


def _draw_norms(axis: Axes, runs: Mapping[str, Sequence[Columns]]) -> None:
    for kind, colour in (("soft", SOFT), ("hard", HARD)):
        for seed, columns in enumerate(runs[kind]):
            norms = columns["grad_norm_kolmogorov_network"]
            epochs = np.flatnonzero(~np.isnan(norms)) + 1
            axis.plot(
                epochs,
                norms[epochs - 1],
                color=colour,
                linewidth=1.8 if seed == 0 else 0.6,
                alpha=1.0 if seed == 0 else 0.35,
                clip_on=False,
                zorder=3,
            )
    axis.set_title("Norm of K's gradient in the network")
    last = runs["soft"][0]["grad_norm_kolmogorov_network"]
    found = last[~np.isnan(last)]
    _label_end(axis, len(last), float(found[-1]), "soft bins", SOFT)
    _label_end(axis, len(last), 0.0, "hard bins: 0", HARD)
    axis.set_yscale("symlog", linthresh=0.01, linscale=0.6)
    axis.set_ylim(0, None)
    axis.set_yticks([0, 0.01, 0.1, 1], ["0", "0.01", "0.1", "1"])
    axis.minorticks_off()


def _label_end(axis: Axes, x: float, y: float, text: str, colour: str) -> None:
    axis.annotate(
        text,
        (x, y),
        xytext=(5, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        fontweight="bold",
        annotation_clip=False,
    )


def _mark_rise(
    axis: Axes, combined: NDArray[np.float64], smoothing: int, rise: tuple[int, int]
) -> None:
    """Label the loss with hard bins before and after its largest rise."""
    epochs, means = _means(combined, smoothing)
    for index, offset in zip(rise, (-14, 8), strict=True):
        axis.plot(epochs[index], means[index], "o", color=HARD, markersize=5, zorder=4)
        axis.annotate(
            f"{means[index]:.3f}",
            (epochs[index], means[index]),
            xytext=(0, offset),
            textcoords="offset points",
            ha="center",
            color=INK,
        )


def draw_slopes(slopes: Sequence[Slopes], path: Path) -> None:
    """Draw the passed share of the slope by position in a bin, and its distribution."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.7), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.45, 1))
        _draw_slope_lines(left, slopes)
        _draw_starved(right, slopes)
        _save(figure, path)


def _draw_slope_lines(axis: Axes, slopes: Sequence[Slopes]) -> None:
    lowest, highest = 3e-4, 100.0
    axis.axhspan(lowest, 0.1, color="#000000", alpha=0.06, linewidth=0)
    axis.axhline(1.0, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    for slope, colour in zip(slopes, BY_TEMPERATURE, strict=True):
        edges = np.linspace(0, 1, 201)
        place = np.digitize(slope.offsets, edges) - 1
        middle = [float(np.median(slope.shares[place == k])) for k in range(200)]
        axis.plot(edges[:-1] + 0.0025, np.maximum(middle, 1e-12), color=colour, linewidth=2.0)
    axis.set_yscale("log")
    axis.set_ylim(lowest, highest)
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["on a bin", "", "halfway", "", "on the next"])
    axis.set_yticks(
        [0.001, 0.01, 0.1, 1, 10, 100], ["0.1 %", "1 %", "10 %", "1 x", "10 x", "100 x"]
    )
    axis.set_title("Slope passed on, relative to the true slope")
    labels = ((0.535, 34.0), (0.62, 3.2), (0.09, 0.16), (0.03, 1.45))
    for slope, colour, (x, y) in zip(slopes, BY_TEMPERATURE, labels, strict=True):
        axis.text(x, y, f"T = {slope.temperature:g}", color=colour, fontweight="bold")
    axis.text(0.985, 0.055, "starved", ha="right", color=FAINT)


def _draw_starved(axis: Axes, slopes: Sequence[Slopes]) -> None:
    names = [f"T = {slope.temperature:g}" for slope in slopes]
    under_10 = [100 * float((slope.shares < 0.1).mean()) for slope in slopes]
    under_1 = [100 * float((slope.shares < 0.01).mean()) for slope in slopes]
    rows = np.arange(len(slopes))[::-1]
    axis.barh(rows, under_10, height=0.55, color=BY_TEMPERATURE, alpha=0.4)
    axis.barh(rows, under_1, height=0.55, color=BY_TEMPERATURE)
    for row, tenth, hundredth in zip(rows, under_10, under_1, strict=True):
        text = f"{tenth:.0f} %" + (f"  ({hundredth:.0f} %)" if hundredth >= 0.5 else "")
        axis.text(tenth + 2, row, text, va="center", color=INK)
    axis.text(under_10[0], rows[0] + 0.36, "under 10 % (under 1 %)", ha="right", color=FAINT)
    axis.set_yticks(rows, names)
    axis.set_xlim(0, 125)
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(length=0)
    axis.set_ylim(-0.5, len(slopes) - 0.3)
    axis.set_title("Starved weights")


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=130, facecolor="white")
    print(f"Wrote {path.name}.")
