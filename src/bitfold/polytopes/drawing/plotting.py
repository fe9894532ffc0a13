"""A partition on matplotlib's axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import PolytopeError
from bitfold.polytopes.drawing.filling import KINDS, Faces, fill

if TYPE_CHECKING:
    from bitfold.polytopes.partition import Partition

# In points; the boundary is twice as thick as folds, and white around it.
_THINNEST_BOUNDARY = 0.8
# A few slivers would take most of the range of colours: of the pixels one in a hundred is beyond.
_SKEWED, _SHOWN = ("area", "slope"), (0.005, 0.995)
# Of a linear light of 1: on white paper brighter lines are hard to see.
_MOST_LUMINANCE = 0.35


def plot_partition(
    found: Partition,
    axes: Any,
    *,
    faces: Faces,
    output: int,
    line_width: float,
    boundary: bool,
    longer_px: int,
) -> Any:
    """See `Partition.plot`."""
    # matplotlib takes a third of a second to import: only those who plot wait for it.
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    if not callable(faces) and faces not in KINDS:
        raise PolytopeError(
            f"Cannot plot a partition: expected faces to be one of {', '.join(KINDS)}, got "
            f"{faces!r}. Choose one of these."
        )
    (left, low), (right, high) = found.vertices.min(0), found.vertices.max(0)
    image = None
    if callable(faces) or faces != "none":
        filling = fill(found, faces, output, longer_px)
        extent = (left, right, low, high)
        image = axes.imshow(filling.pixels, cmap="cividis", extent=extent, origin="lower")
        image.set(gid="faces", label=filling.label)
        if faces in _SKEWED:
            image.set_clim(*np.nanquantile(filling.pixels, _SHOWN))

    def draw(
        lines: list[NDArray[np.float64]], colour: Any, width: float, name: str, label: str = ""
    ) -> None:
        style: dict[str, Any] = {
            "colors": [colour],
            "linewidths": width,
            "capstyle": "round",
            "gid": name,
            "label": label or f"_{name}",  # matplotlib's legends leave out what begins so
        }
        axes.add_collection(LineCollection(lines, joinstyle="round", **style))

    colours = layer_colours(len(found.layer_sizes))
    # Late folds are many and short: early ones are drawn over them.
    for layer, lines in reversed(list(enumerate(found.fold_lines()))):
        name, label = f"layer-{layer + 1}", str(found.layers[layer])
        draw(lines, colours[layer], line_width, name, label)
    if boundary:
        lines = found.decision_boundary()
        width = max(2 * line_width, _THINNEST_BOUNDARY)
        draw(lines, "white", 2 * width, "boundary-casing")
        draw(lines, "black", width, "boundary")
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    return image


def layer_colours(count: int) -> NDArray[np.float64]:
    """A colour for each of so many layers: (count, 3), red, green and blue, 0 to 1.

    Source: turbo (Mikhailov 2019), without its dark ends, darkened where it is brighter than a line
    on white paper may be, by luminances of ITU-R BT.709 and a gamma of 2.2.
    """
    from matplotlib import colormaps  # noqa: PLC0415 - as above

    light = colormaps["turbo"](np.linspace(0.1, 0.95, max(2, count)))[:count, :3] ** 2.2
    luminance = light @ np.array([0.2126, 0.7152, 0.0722])
    dimmed = light * np.minimum(1, _MOST_LUMINANCE / luminance)[:, None]
    return np.asarray(dimmed ** (1 / 2.2))
