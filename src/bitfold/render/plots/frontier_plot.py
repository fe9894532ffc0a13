"""Plots of file size against quality: trained networks, the frontier and the best network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from bitfold.errors import RenderError
from bitfold.render.colours import INK, MUTED, RULE, VERMILLION, Colour
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.display.figure_style import own_style
from bitfold.runtime.display.figure_text import figure_bytes, name_legend, set_plain

WIDTH_INCHES: Final = 6.4
HEIGHT_INCHES: Final = 4.2
DOTS_PER_INCH: Final = 160
# The part of viridis that is used; the rest is too faint on white.
LIGHTEST: Final = 0.9
# Most labels in a column of the legend.
MOST_IN_COLUMN: Final = 14


@dataclass(frozen=True)
class SizePoint:
    """One trained network.

    Args:
        num_bytes: size of its file.
        quality: quality of the decoded network, in the unit of the axis.
        label: name of its group; networks with equal labels have one colour.
        is_on_front: whether no other network is both shorter and better.
        is_best: whether it is the network that the user asked for.
    """

    num_bytes: int
    quality: float
    label: str
    is_on_front: bool
    is_best: bool


@dataclass(frozen=True)
class QualityAxis:
    """The vertical axis.

    Args:
        title: the quantity and its unit.
        is_logarithmic: whether the scale is logarithmic.
    """

    title: str
    is_logarithmic: bool = False


def plot_frontier(
    points: Sequence[SizePoint], path: Path | str, *, title: str, axis: QualityAxis
) -> None:
    """Draw size against quality.

    Full dots, joined by a line, are on the front; hollow dots are beaten. A ring marks the best
    network, whose numbers are above the panel. pyplot's global state is not used.

    Args:
        points: at least one; labels get colours from dark to light, in their order.
        path: path of the figure, ending in ``.png`` or ``.svg``; an existing file is replaced when
            the new one is complete.
        title: title of the figure.
        axis: the vertical axis.

    Raises:
        RenderError: there are no points, the suffix is unknown, or the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in {"png", "svg"}:
        raise RenderError(
            f"Cannot plot into {path}: expected a name ending in .png or .svg, "
            f"got {path.suffix or 'no ending'}. Rename it."
        )
    if not points:
        raise RenderError(
            "Cannot plot a frontier: expected at least one trained network, got none. Train one."
        )
    metadata: dict[str, str | None] = {"Date": None} if kind == "svg" else {"Software": None}
    with own_style():
        figure = _draw(points, title, axis)
        content = figure_bytes(figure, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RenderError(
            f"Cannot write the figure {path}: expected a writable file and free space, "
            f"got {error}. Check the folder and the disk."
        ) from error


def _draw(points: Sequence[SizePoint], title: str, axis: QualityAxis) -> Figure:
    size = (WIDTH_INCHES, HEIGHT_INCHES)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _dress(axes, axis)
    best = next((point for point in points if point.is_best), None)
    set_plain([axes.set_title(title, loc="left", fontsize=10, color=_hex(INK))])
    if best is not None:
        axes.set_title(_told(best, axis), loc="right", fontsize=8.5, color=_hex(VERMILLION))
    front = sorted((p for p in points if p.is_on_front), key=lambda point: point.num_bytes)
    axes.plot(
        [point.num_bytes for point in front], [point.quality for point in front],
        "-", color=_hex(RULE), linewidth=1.3, zorder=2,
    )  # fmt: skip
    labels = list(dict.fromkeys(point.label for point in points))
    handles = [
        _draw_label(axes, [point for point in points if point.label == label], colour)
        for label, colour in zip(labels, _colours(len(labels)), strict=True)
    ]
    if best is not None:
        axes.plot(
            [best.num_bytes], [best.quality], "o", markersize=12, markerfacecolor="none",
            markeredgecolor=_hex(VERMILLION), markeredgewidth=1.8, zorder=5,
        )  # fmt: skip
    axes.margins(0.08, 0.1)
    num_columns = -(-len(labels) // MOST_IN_COLUMN)
    legend = axes.legend(
        handles, [""] * len(labels), loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False,
        fontsize=8, ncols=num_columns, handletextpad=0.3, labelcolor=_hex(INK),
    )  # fmt: skip
    legend.set_zorder(1)
    name_legend(legend, labels)
    return figure


def _draw_label(axes: Axes, points: Sequence[SizePoint], colour: str) -> Line2D:
    """Draw the dots of one label: full on the front, hollow if beaten. Return the legend's dot."""
    for is_full in (True, False):
        some = [point for point in points if point.is_on_front == is_full]
        axes.plot(
            [point.num_bytes for point in some], [point.quality for point in some], "o",
            markersize=6.5 if is_full else 5, zorder=4 if is_full else 3,
            color=colour, markerfacecolor=colour if is_full else "white",
        )  # fmt: skip
    (dot,) = axes.plot([], [], "o", markersize=6.5, color=colour)
    return dot


def _colours(number: int) -> list[str]:
    """Return colours from dark to light."""
    shares = np.linspace(0, LIGHTEST, number) if number > 1 else np.zeros(1)
    return [to_hex(colour) for colour in colormaps["viridis"](shares)]


def _told(best: SizePoint, axis: QualityAxis) -> str:
    unit = axis.title.rpartition("(")[2].rstrip(")") if "(" in axis.title else ""
    return f"best: {best.num_bytes:,} bytes, {best.quality:.4g} {unit}".strip()


def _dress(axes: Axes, axis: QualityAxis) -> None:
    axes.set_xlabel("size of the file (bytes)", fontsize=8.5, color=_hex(MUTED))
    axes.set_ylabel(axis.title, fontsize=8.5, color=_hex(MUTED))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if axis.is_logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(7))
    axes.grid(color=_hex(RULE), alpha=0.35, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_hex(RULE))
    axes.tick_params(which="both", labelsize=8, labelcolor=_hex(MUTED), color=_hex(RULE))


def _hex(colour: Colour) -> str:
    red, green, blue = (channel / 255 for channel in colour)
    return to_hex((red, green, blue))
