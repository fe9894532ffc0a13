"""Distances from a partition's folds to points and to the decision boundary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]

#: The number of points along the folds whose distance to the decision boundary is measured.
NUM_FOLD_POINTS = 4096


def distances_to_folds(found: Partition, points: Doubles) -> Doubles:
    """Measure the distance from each point to the nearest fold.

    The straight way to the nearest fold crosses no other fold, so the nearest fold bounds the
    point's own polytope. Only the sides of that polytope are compared.

    Args:
        found: the partition, with at least one fold.
        points: float64 (N, 2), in coordinates of the plane.

    Returns:
        float64 (at most N,), in units of the plane's coordinates: for each point inside the domain,
        in order.
    """
    # Numba takes half a second to import, so it is imported only when needed.
    from bitfold.polytopes.measuring.measure_kernels import distances_within_faces  # noqa: PLC0415

    numbers = found.locate(points)
    is_inside = numbers >= 0
    is_fold = (np.diff(found.owner_offsets) > 0)[found.face_edges]
    faces = found.face_offsets, found.vertices[found.face_vertices], is_fold
    return distances_within_faces(points[is_inside], numbers[is_inside], faces)


def distance_to_boundary(found: Partition, segments: Doubles) -> float:
    """Return the mean distance from the folds to the nearest segment.

    The folds are laid end to end and sampled at `NUM_FOLD_POINTS` points in equal steps. The result
    is the mean over their length, to within one step.

    Args:
        found: the partition, with at least one fold.
        segments: float64 (M, 2, 2), both ends of each segment; M at least 1.
    """
    from bitfold.polytopes.measuring.measure_kernels import distances_to_segments  # noqa: PLC0415 - as above

    ends = found.vertices[found.edges[np.diff(found.owner_offsets) > 0]]
    along = ends[:, 1] - ends[:, 0]
    until = np.cumsum(np.hypot(along[:, 0], along[:, 1]))
    positions = (np.arange(NUM_FOLD_POINTS) + 0.5) * (until[-1] / NUM_FOLD_POINTS)
    edges = np.minimum(np.searchsorted(until, positions), len(until) - 1)
    lengths = np.diff(until, prepend=0.0)[edges]
    shares = 1 - (until[edges] - positions) / np.maximum(lengths, np.finfo(float).tiny)
    points = ends[edges, 0] + shares[:, None] * along[edges]
    columns = np.concatenate([segments[:, 0].T, (segments[:, 1] - segments[:, 0]).T])
    return float(distances_to_segments(points, np.ascontiguousarray(columns)).mean())
