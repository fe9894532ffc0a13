"""The graph of a function over its partition: a surface whose facets are the polytopes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from bitfold.polytopes import Partition
from bitfold.polytopes.drawing.filling import (
    FaceColouring,
    check_output,
    face_numbers,
    identity_colours,
)
from bitfold.render.partitions.surface import Surface

Doubles = NDArray[np.float64]

# Quantiles of the range of colours: as in figures, a few slivers do not determine it.
_SHOWN = (0.005, 0.995)


def surface_of(
    found: Partition,
    heights: Doubles,
    *,
    faces: FaceColouring = "none",
    output: int = 0,
    is_y_down: bool = False,
) -> Surface:
    """Lift a partition from its plane to a surface.

    Args:
        found: the partition.
        heights: (V,), heights of the vertices; facets are flat if these are affine on each face.
        faces: the colours, see `Partition.plot`: "value", or a function, colours vertices; all
            others colour faces.
        output: the output that the colours show.
        is_y_down: whether y grows downwards, as in pictures; if so, y is negated.

    Raises:
        PolytopeError: the colouring or the output does not exist.
    """
    x, y = found.vertices.T
    corners = found.face_vertices
    if is_y_down:
        y = -y
        counts, starts = np.diff(found.face_offsets), found.face_offsets[:-1]
        within = np.arange(len(corners)) - np.repeat(starts, counts)
        corners = corners[np.repeat(starts + counts - 1, counts) - within]
    vertex_colours = face_colours = None
    if callable(faces):
        vertex_colours = faces(found.vertex_outputs)
    elif faces == "value":
        check_output(found.vertex_outputs, output)
        vertex_colours = _coloured(found.vertex_outputs[:, output], (0, 1))
    elif faces == "identity":
        face_colours = identity_colours(found.patterns)
    elif faces != "none":
        face_colours = _coloured(face_numbers(found.backend, faces), _SHOWN)
    vertices = np.stack([x, y, heights], 1)
    return Surface(vertices, found.face_offsets, corners, vertex_colours, face_colours)


def _coloured(numbers: Doubles, shown: tuple[float, float]) -> Doubles:
    low, high = np.quantile(numbers, shown)
    share: Any = np.clip((numbers - low) / max(high - low, np.finfo(float).tiny), 0, 1)
    return np.asarray(colormaps["cividis"](share)[:, :3])
