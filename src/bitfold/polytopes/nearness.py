"""How near a partition's folds are to points, and to its decision boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]

#: Points along the folds at which their distance to the decision boundary is looked at.
NUM_FOLD_POINTS = 4096
# Cells of the grid that faces are listed in, for each face; and how often a face may be listed on
# average before the grid is made coarser.
_CELLS_PER_FACE, _LISTED_PER_FACE = 2.0, 32.0
# Share of the domain's size that a point may lie outside of it, for rounding.
_OUTSIDE = 1e-9


def distances_to_folds(found: Partition, points: Doubles) -> Doubles:
    """Measure how far points lie from the nearest fold.

    Source: none, ours. The way to the nearest fold crosses no other one, so that fold bounds the
    point's own polytope: once that is found, in a grid, only its sides need to be looked at.

    Args:
        found: the partition; it has a fold.
        points: float64 (N, 2), in coordinates of the plane.

    Returns:
        For each point within the domain, in order: float64 (at most N,), in units of the plane's
        coordinates.
    """
    # Numba takes half a second to import: only those who measure wait for it.
    from bitfold.polytopes.measure_kernels import (  # noqa: PLC0415
        distances_within_faces,
        list_by_cell,
    )

    offsets = found.face_offsets
    corners = found.vertices[found.face_vertices]
    low = np.minimum.reduceat(corners, offsets[:-1])
    high = np.maximum.reduceat(corners, offsets[:-1])
    origin, size = low.min(0), float(np.ptp(found.vertices, axis=0).max())
    num_cells = max(1, int(np.sqrt(_CELLS_PER_FACE * found.num_polytopes)))
    while True:
        scale = num_cells / size
        first, last = (_cells((at - origin) * scale, num_cells) for at in (low, high))
        num_listed = np.prod(last.astype(np.int64) - first + 1, axis=1).sum()
        if num_cells == 1 or num_listed <= _LISTED_PER_FACE * found.num_polytopes:
            break
        num_cells = (num_cells + 1) // 2
    column, row = _cells((points - origin) * scale, num_cells).astype(np.int64).T
    faces = offsets, corners, (np.diff(found.owner_offsets) > 0)[found.face_edges]
    listed = list_by_cell(first, last, num_cells)
    cells = row * num_cells + column
    distances = distances_within_faces(points, cells, listed, faces, _OUTSIDE * size)
    kept: Doubles = distances[~np.isnan(distances)]
    return kept


def distance_to_boundary(found: Partition, segments: Doubles) -> float:
    """Return the mean distance of all folds from the nearest of some segments.

    Folds are laid end to end, and looked at in `NUM_FOLD_POINTS` places at equal distances: the
    mean over their length, to within the distance between two places.

    Source: none, ours.

    Args:
        found: the partition; it has a fold.
        segments: float64 (M, 2, 2), from where to where; M at least 1.
    """
    from bitfold.polytopes.measure_kernels import distances_to_segments  # noqa: PLC0415 - as above

    ends = found.vertices[found.edges[np.diff(found.owner_offsets) > 0]]
    along = ends[:, 1] - ends[:, 0]
    until = np.cumsum(np.hypot(along[:, 0], along[:, 1]))
    places = (np.arange(NUM_FOLD_POINTS) + 0.5) * (until[-1] / NUM_FOLD_POINTS)
    edges = np.minimum(np.searchsorted(until, places), len(until) - 1)
    lengths = np.diff(until, prepend=0.0)[edges]
    shares = 1 - (until[edges] - places) / np.maximum(lengths, np.finfo(float).tiny)
    points = ends[edges, 0] + shares[:, None] * along[edges]
    columns = np.concatenate([segments[:, 0].T, (segments[:, 1] - segments[:, 0]).T])
    return float(distances_to_segments(points, np.ascontiguousarray(columns)).mean())


def _cells(at: Doubles, num_cells: int) -> NDArray[np.int32]:
    return np.clip(np.floor(at), 0, num_cells - 1).astype(np.int32)
