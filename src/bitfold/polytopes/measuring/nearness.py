"""How near a partition's folds are to points, and to its decision boundary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]

#: Points along the folds at which their distance to the decision boundary is looked at.
NUM_FOLD_POINTS = 4096


def distances_to_folds(found: Partition, points: Doubles) -> Doubles:
    """Measure how far points lie from the nearest fold.

    Source: none, ours. The way to the nearest fold crosses no other one, so that fold bounds the
    point's own polytope: once that is found only its sides need to be looked at.

    Args:
        found: the partition; it has a fold.
        points: float64 (N, 2), in coordinates of the plane.

    Returns:
        For each point within the domain, in order: float64 (at most N,), in units of the plane's
        coordinates.
    """
    # Numba takes half a second to import: only those who measure wait for it.
    from bitfold.polytopes.measuring.measure_kernels import distances_within_faces  # noqa: PLC0415

    numbers = found.locate(points)
    is_inside = numbers >= 0
    is_fold = (np.diff(found.owner_offsets) > 0)[found.face_edges]
    faces = found.face_offsets, found.vertices[found.face_vertices], is_fold
    return distances_within_faces(points[is_inside], numbers[is_inside], faces)


def distance_to_boundary(found: Partition, segments: Doubles) -> float:
    """Return the mean distance of all folds from the nearest of some segments.

    Folds are laid end to end, and looked at in `NUM_FOLD_POINTS` places at equal distances: the
    mean over their length, to within the distance between two places.

    Source: none, ours.

    Args:
        found: the partition; it has a fold.
        segments: float64 (M, 2, 2), from where to where; M at least 1.
    """
    from bitfold.polytopes.measuring.measure_kernels import distances_to_segments  # noqa: PLC0415 - as above

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
