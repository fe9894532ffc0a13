"""Size against error: a curve of trained networks, those that no other one beats, and the best."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from bitfold.errors import RenderError
from bitfold.files import write_atomically
from bitfold.render.colours import BLUE, INK, MUTED, RULE, VERMILLION, Colour

WIDTH_INCHES: Final = 6.4
HEIGHT_INCHES: Final = 4.2
DOTS_PER_INCH: Final = 160
# Labels of the front beyond this number would hide one another.
MOST_LABELS: Final = 12


@dataclass(frozen=True)
class SizePoint:
    """One trained network.

    Args:
        num_bytes: of its file.
        quality: what the decoded network comes to, in the unit of the axis.
        label: what stands beside it.
        is_on_front: whether no other network is both shorter and better.
        is_best: whether it is the one that was asked for.
    """

    num_bytes: int
    quality: float
    label: str
    is_on_front: bool
    is_best: bool


@dataclass(frozen=True)
class QualityAxis:
    """What stands upright.

    Args:
        title: with the unit.
        is_logarithmic: whether ratios count.
    """

    title: str
    is_logarithmic: bool = False


def plot_frontier(
    points: Sequence[SizePoint], path: Path | str, *, title: str, axis: QualityAxis
) -> None:
    """Draw size against quality.

    The front is a line through large dots with their labels; what it beats are small hollow dots;
    the best has a ring and its size and quality in words. Nothing of pyplot's global state is used.

    Source: none, ours.

    Args:
        points: at least one.
        path: of the figure, ending in ``.png`` or ``.svg``; replaced at once when it is complete.
        title: of the figure.
        axis: the upright one.

    Raises:
        RenderError: there is nothing to draw, the suffix is unknown, or the file cannot be written.
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
    figure = _draw(points, title, axis)
    stream = io.BytesIO()
    metadata: dict[str, str | None] = {"Date": None} if kind == "svg" else {"Software": None}
    figure.savefig(stream, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
    try:
        write_atomically(path, stream.getvalue())
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
    _dress(axes, title, axis)
    beaten = [point for point in points if not point.is_on_front]
    axes.plot(
        [point.num_bytes for point in beaten], [point.quality for point in beaten],
        "o", markersize=4, markerfacecolor="white", markeredgecolor=_hex(RULE), zorder=2,
    )  # fmt: skip
    front = sorted((p for p in points if p.is_on_front), key=lambda point: point.num_bytes)
    axes.plot(
        [point.num_bytes for point in front], [point.quality for point in front],
        "o-", color=_hex(BLUE), markersize=5.5, linewidth=1.3, zorder=3,
    )  # fmt: skip
    for point in front[:: -(-len(front) // MOST_LABELS) or 1]:
        if not point.is_best:
            _write(axes, point, point.label, MUTED)
    for point in points:
        if point.is_best:
            _ring(axes, point, axis)
    axes.margins(0.12, 0.14)
    return figure


def _ring(axes: Axes, point: SizePoint, axis: QualityAxis) -> None:
    axes.plot(
        [point.num_bytes], [point.quality], "o", markersize=12, markerfacecolor="none",
        markeredgecolor=_hex(VERMILLION), markeredgewidth=1.8, zorder=4,
    )  # fmt: skip
    unit = axis.title.rpartition("(")[2].rstrip(")") if "(" in axis.title else ""
    number = f"{point.quality:.3g}" if axis.is_logarithmic else f"{point.quality:.2f}"
    text = f"best: {point.num_bytes:,} bytes, {number} {unit}\n{point.label}"
    _write(axes, point, text.strip(), INK, gap=10)


def _write(axes: Axes, point: SizePoint, text: str, colour: Colour, gap: float = 6) -> None:
    axes.annotate(
        text, (point.num_bytes, point.quality), xytext=(gap, -gap), textcoords="offset points",
        ha="left", va="top", fontsize=7.5, color=_hex(colour), zorder=5,
    )  # fmt: skip


def _dress(axes: Axes, title: str, axis: QualityAxis) -> None:
    axes.set_title(title, loc="left", fontsize=10, color=_hex(INK))
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
    return to_hex([channel / 255 for channel in colour])
