"""A partition on matplotlib's axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bitfold.errors import PolytopeError

if TYPE_CHECKING:
    from bitfold.polytopes.partition import Partition

FACES: Final = ("value", "area", "slope", "none")
_BOUNDARY_WIDTH = 1.8


def plot_partition(found: Partition, axes: Any, faces: str, output: int, line_width: float) -> None:
    """See `Partition.plot`."""
    # matplotlib takes a third of a second to import: only those who plot wait for it.
    from matplotlib.collections import LineCollection, PolyCollection  # noqa: PLC0415
    from matplotlib.pyplot import get_cmap  # noqa: PLC0415

    if faces not in FACES:
        raise PolytopeError(
            f"Cannot plot a partition: expected faces to be one of {', '.join(FACES)}, got "
            f"{faces!r}. Choose one of these."
        )
    corners = np.split(found.vertices[found.face_vertices], found.face_offsets[1:-1])
    if faces != "none":
        collection = PolyCollection(corners, array=_numbers(found, faces, output), cmap="cividis")
        collection.set_linewidth(0)
        collection.set_antialiased(False)
        axes.add_collection(collection)
    inner = np.flatnonzero(np.diff(found.owner_offsets) > 0)
    layers = found.owner_layers[found.owner_offsets[inner]]
    colours = get_cmap("turbo")(np.linspace(0.1, 0.95, max(2, len(found.layer_sizes))))
    # Late folds are many and short: early ones are drawn over them.
    for layer in range(len(found.layer_sizes))[::-1]:
        lines = found.vertices[found.edges[inner[layers == layer]]]
        axes.add_collection(
            LineCollection(
                list(lines),
                colors=[colours[layer]],
                linewidths=line_width,
                label=str(found.layers[layer]),
            )
        )
    boundary = found.decision_boundary()
    axes.add_collection(LineCollection(boundary, colors="white", linewidths=2 * _BOUNDARY_WIDTH))
    axes.add_collection(LineCollection(boundary, colors="black", linewidths=_BOUNDARY_WIDTH))
    (left, low), (right, high) = found.vertices.min(0), found.vertices.max(0)
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal")


def _numbers(found: Partition, faces: str, output: int) -> np.ndarray:
    if faces == "area":
        return np.asarray(np.log10(np.maximum(found.areas, 1e-300)))
    maps = found.affine_maps()
    if not 0 <= output < maps.shape[1]:
        raise PolytopeError(
            f"Cannot plot a partition: expected an output of 0 to {maps.shape[1] - 1}, got "
            f"{output}. Choose one of these."
        )
    if faces == "slope":
        return np.asarray(np.hypot(maps[:, output, 0], maps[:, output, 1]))
    at = found.centroids
    return np.asarray((maps[:, output, :2] * at).sum(1) + maps[:, output, 2])
