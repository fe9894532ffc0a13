"""Draws a partition as a figure for print: SVG, PDF or PNG, without margins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from numpy.typing import NDArray

from bitfold.errors import RenderError
from bitfold.polytopes import Partition
from bitfold.polytopes.drawing.filling import FaceColouring
from bitfold.polytopes.drawing.palette import layer_colours
from bitfold.polytopes.encoding_layers import EncodingFolds, layer_shares
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.display.figure_style import own_style
from bitfold.runtime.display.figure_text import figure_bytes

SUFFIXES: Final = (".svg", ".pdf", ".png")
#: Width of a column in most journals.
COLUMN_MM: Final = 85.0
_MM_PER_INCH, _POINTS_PER_MM = 25.4, 72 / 25.4
_KEY_MM, _BAR_MM, _LONGEST_BAR_MM, _SWATCH_MM = 9.5, 16.0, 30.0, 3.2
_FRAME_MM = 0.15
_FONT_SIZE, _RULE_WIDTH = 7.0, 0.4
# Largest share of the faces that lines cover, and bounds of the line width, in points.
_COVERED, _THINNEST, _THICKEST = 0.25, 0.08, 0.5
_WITH_BAR: Final = ("value", "area", "slope")
# Text stays text, and equal partitions give equal bytes.
_SETTINGS: Final[Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "bitfold", "pdf.fonttype": 42,
    "font.size": _FONT_SIZE, "axes.linewidth": _RULE_WIDTH,
}  # fmt: skip


@dataclass(frozen=True)
class FigureStyle:
    """The look of a figure of a partition.

    Args:
        faces: the filling of faces, see `Partition.plot`.
        output: the output that the filling shows.
        boundary: whether the decision boundary is drawn.
        has_legend: whether a legend explains the colours of layers and faces.
        width_mm: width of the whole figure, in millimetres.
        dots_per_inch: resolution of a PNG, and of the filling.
        is_y_down: whether y grows downwards, as in pictures.
        aspect: how wide a square of the plane is drawn, over its height.
        encoding_folds: how folds of the network's encoding are drawn, see `Partition.plot`.
    """

    faces: FaceColouring = "value"
    output: int = 0
    boundary: bool = False
    has_legend: bool = True
    width_mm: float = COLUMN_MM
    dots_per_inch: int = 300
    is_y_down: bool = False
    aspect: float = 1.0
    encoding_folds: EncodingFolds = "faint"


def draw_partition(found: Partition, path: Path, style: FigureStyle | None = None) -> None:
    """Draw a partition into a file.

    Folds are drawn as vector lines, thin enough that faces stay visible. The filling is a picture
    under them. An SVG has the groups ``faces``, ``layer-1`` and so on, and ``boundary``. A PDF has
    no groups; its last layer is drawn first.

    Args:
        found: the partition.
        path: path of the figure, ending in ``.svg``, ``.pdf`` or ``.png``; an existing file is
            replaced when the new one is complete.
        style: the look; by default `FigureStyle()`.

    Raises:
        RenderError: the suffix is unknown, the panel is too small or too tall, or the file cannot
            be written.
        PolytopeError: the filling or the output does not exist.
    """
    style = style or FigureStyle()
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise RenderError(
            f"Cannot draw a partition into {path}: expected a name ending in "
            f"{', '.join(SUFFIXES)}, got {path.suffix or 'no ending'}. Rename it."
        )
    metadata = {"Date": None} if kind == ".svg" else {"CreationDate": None}
    with own_style(_SETTINGS):
        content = figure_bytes(
            _figure(found, style, in_pixels=kind == ".png"),
            format=kind[1:],
            dpi=style.dots_per_inch,
            metadata={"Software": None} if kind == ".png" else metadata,
        )
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RenderError(
            f"Cannot write the figure {path}: expected a writable file and free space, "
            f"got {error.strerror}. Make room, or choose another path."
        ) from None


def _figure(found: Partition, style: FigureStyle, *, in_pixels: bool) -> Figure:
    across, along = np.ptp(found.vertices, axis=0).tolist()
    beside = _BAR_MM if style.faces in _WITH_BAR else _KEY_MM
    width = style.width_mm - 2 * _FRAME_MM - (beside if style.has_legend else 0)
    height = width * along / across / style.aspect
    if width < 5 or not 1 <= height <= 5000:
        raise RenderError(
            f"Cannot draw a partition: expected a panel of at least 5 mm by 1, got {width:.3g} by "
            f"{height:.3g}. Choose another width or window."
        )
    whole = style.width_mm, height + 2 * _FRAME_MM
    if in_pixels:  # whole pixels, or the last one would be partly white
        pixel_mm = _MM_PER_INCH / style.dots_per_inch
        whole = round(whole[0] / pixel_mm) * pixel_mm, round(whole[1] / pixel_mm) * pixel_mm
    width, height = width + whole[0] - style.width_mm, whole[1] - 2 * _FRAME_MM
    figure = Figure(figsize=(whole[0] / _MM_PER_INCH, whole[1] / _MM_PER_INCH))

    def axes_at(left: float, bottom: float, wide: float, high: float) -> Axes:
        at = left / whole[0], bottom / whole[1], wide / whole[0], high / whole[1]
        return figure.add_axes(at)

    panel = axes_at(_FRAME_MM, _FRAME_MM, width, height)
    image = _draw_panel(found, panel, style, (width, height))
    if not style.has_legend:
        return figure
    left, top = _FRAME_MM + width + 2, height + _FRAME_MM
    room = min(_LONGEST_BAR_MM, height / 2 - 8)
    shares = _shares(found, style)
    num_shown = sum(share > 0 for share in shares)
    if num_shown:
        high = min(_SWATCH_MM * num_shown, max(room, 3))
        _draw_key(axes_at(left, top - 4 - high, 3, high), shares)
    if image is not None and image.get_label() and room > 5:
        _draw_bar(figure, axes_at(left, _FRAME_MM + 1, 3, room), image, style.faces)
    return figure


def _draw_panel(
    found: Partition, panel: Axes, style: FigureStyle, size_mm: tuple[float, float]
) -> Any:
    """Draw the partition; return the image that fills its faces."""
    scale = size_mm[0] / float(np.ptp(found.vertices[:, 0]))
    pixels = max(size_mm) / _MM_PER_INCH * style.dots_per_inch
    image = found.plot(
        panel,
        faces=style.faces,
        output=style.output,
        line_width=_line_width(found, style, size_mm[0] * size_mm[1], scale),
        boundary=style.boundary,
        longer_px=round(min(max(pixels, 64), 8192)),
        encoding_folds=style.encoding_folds,
    )
    panel.set(xticks=[], yticks=[], frame_on=False, aspect="auto")
    border = Polygon(_border(found), fill=False, linewidth=_RULE_WIDTH, joinstyle="round")
    border.set(gid="border", clip_on=False)
    panel.add_patch(border)
    if panel.yaxis_inverted() != style.is_y_down:
        panel.invert_yaxis()
    return image


def _shares(found: Partition, style: FigureStyle) -> list[float]:
    """How strongly the folds of each layer are drawn."""
    return layer_shares(len(found.layer_sizes), found.num_encoding_layers, style.encoding_folds)


def _line_width(found: Partition, style: FigureStyle, area: float, scale: float) -> float:
    """Line width of folds in points, for a panel's area in mm² and its scale in mm per unit."""
    is_fold = np.diff(found.owner_offsets) > 0
    layers = found.owner_layers[found.owner_offsets[:-1][is_fold]]
    ends = found.vertices[found.edges[is_fold]]
    lengths = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    length = float((lengths * np.array(_shares(found, style))[layers]).sum()) * scale
    share = _COVERED * area / max(length, 1e-300) * _POINTS_PER_MM
    return min(max(share, _THINNEST), _THICKEST)


def _border(found: Partition) -> NDArray[np.float64]:
    """Return the vertices around the domain, which is convex, in order."""
    on_border = np.unique(found.edges[found.neighbours.min(1) < 0])
    points = found.vertices[on_border]
    apart = points - points.mean(0)
    return np.asarray(points[np.argsort(np.arctan2(apart[:, 1], apart[:, 0]))])


def _draw_key(axes: Axes, shares: Sequence[float]) -> None:
    """Draw the colours of the layers that are drawn, with the first one on top."""
    first, count = sum(share == 0 for share in shares), len(shares)
    for layer, colour in enumerate(layer_colours(count, "paper")[first:], first):
        look = {"color": colour, "alpha": shares[layer], "linewidth": 0}
        axes.add_patch(Rectangle((0, layer), 1, 1, **look))
    step = -(-(count - first) // 10)
    shown = sorted({*range(first, count, step), count - 1} - set(range(count - step, count - 1)))
    axes.set(xlim=(0, 1), ylim=(count, first), xticks=[], yticks=[one + 0.5 for one in shown])
    axes.set_yticklabels([str(one + 1) for one in shown])
    axes.tick_params(left=False, right=False, labelleft=False, labelright=True, pad=1.5)
    axes.set_title("layer", loc="left", fontsize=_FONT_SIZE, pad=3)
    axes.set_frame_on(False)


def _draw_bar(figure: Figure, axes: Axes, image: Any, faces: FaceColouring) -> None:
    extend = "both" if faces in ("area", "slope") else "neither"
    bar = figure.colorbar(image, cax=axes, extend=extend, extendfrac=0.04)
    bar.set_label("")
    bar.outline.set_visible(False)
    bar.ax.tick_params(width=_RULE_WIDTH, length=1.5, pad=1.5)
    bar.ax.locator_params(axis="y", nbins=4)
    axes.set_title(image.get_label(), loc="left", fontsize=_FONT_SIZE, pad=3)
