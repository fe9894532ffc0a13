"""Subdivisions on matplotlib's axes: the filling, the folds, the decision boundary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.drawing.filling import Filling
from bitfold.polytopes.drawing.palette import layer_colours
from bitfold.polytopes.subdivision.subdivision import Subdivision

Polylines = Sequence[NDArray[np.float64]]

# In points. The boundary is twice as thick as folds, with a white casing.
_THINNEST_BOUNDARY = 0.8
# A few slivers would take most of the range of these numbers, so the colours leave out the extreme
# hundredth of the pixels.
_SKEWED, _SHOWN = ("log₁₀ area", "slope"), (0.005, 0.995)


def plot_filling(axes: Any, found: Subdivision, filling: Filling | None) -> Any:
    """Show a picture of the faces, and set the axes' limits to the subdivision.

    Returns:
        matplotlib's image; None without a filling.
    """
    (left, low), (right, high) = found.extent
    image = None
    if filling is not None:
        extent = (left, right, low, high)
        image = axes.imshow(filling.pixels, cmap="cividis", extent=extent, origin="lower")
        image.set(gid="faces", label=filling.label)
        if filling.label in _SKEWED:
            image.set_clim(*np.nanquantile(filling.pixels, _SHOWN))
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    return image


def show_as_picture(axes: Any, aspect: float) -> None:
    """Let y grow downwards, and give the unit square the aspect of the picture.

    Args:
        axes: of matplotlib.
        aspect: width of the picture over its height.
    """
    axes.set_aspect(1 / aspect)
    if not axes.yaxis_inverted():
        axes.invert_yaxis()


def plot_folds(
    axes: Any,
    by_layer: Sequence[Polylines],
    labels: Sequence[str],
    line_width: float,
    shares: Sequence[float],
) -> None:
    """Draw the folds of each layer in the layer's colour, as groups ``layer-1``, ``layer-2``...

    Args:
        axes: of matplotlib.
        by_layer: polylines (n, 2) of each layer.
        labels: of the layers, for a legend.
        line_width: in points.
        shares: how strongly each layer is drawn, 0 to 1; with 0 it is left out.
    """
    colours = layer_colours(len(by_layer), "paper")
    # Late folds are many and short, so early ones are drawn over them; faint ones are below all.
    for layer in sorted(range(len(by_layer)), key=lambda layer: (shares[layer] == 1, -layer)):
        if shares[layer] == 0:
            continue
        style: dict[str, Any] = {"colors": [colours[layer]], "linewidths": line_width}
        style |= {"label": labels[layer], "alpha": shares[layer]}
        _draw(axes, by_layer[layer], f"layer-{layer + 1}", style)


def plot_boundary(axes: Any, lines: Polylines, line_width: float) -> None:
    """Draw the decision boundary in black on white, as groups ``boundary-casing``, ``boundary``.

    Args:
        axes: of matplotlib.
        lines: polylines (n, 2).
        line_width: of the folds, in points.
    """
    width = max(2 * line_width, _THINNEST_BOUNDARY)
    for name, colour, wide in (
        ("boundary-casing", "white", 2 * width),
        ("boundary", "black", width),
    ):
        # matplotlib's legends leave out labels that begin with an underscore.
        _draw(axes, lines, name, {"colors": [colour], "linewidths": wide, "label": f"_{name}"})


def _draw(axes: Any, lines: Polylines, name: str, style: dict[str, Any]) -> None:
    # matplotlib takes a third of a second to import, so it is imported only when needed.
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    drawn = LineCollection(lines, joinstyle="round", capstyle="round", gid=name, **style)
    axes.add_collection(drawn)
