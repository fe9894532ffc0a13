"""Checks of a subdivision's geometry."""

from __future__ import annotations

import numpy as np

from bitfold.errors import PolytopeError
from bitfold.polytopes.subdivision.subdivision import Subdivision

#: Tolerance relative to the size or the area of the polygon: far above rounding, and far below any
#: error that was ever seen.
TOLERANCE = 1e-9


def check_geometry(found: Subdivision) -> None:
    """Verify that faces, edges and vertices form a subdivision into convex faces.

    Raises:
        PolytopeError: V - E + F is not 1, the areas do not add up to the polygon's, or a face is
            not convex. The error names the face.
    """
    _check_counts(found)
    _check_areas(found)
    _check_convex(found)


def fail(expected: str) -> None:
    """Refuse a subdivision that is wrong.

    Raises:
        PolytopeError: always.
    """
    raise PolytopeError(
        f"Cannot use this partition: expected {expected}. Please report the network."
    )


def _check_counts(found: Subdivision) -> None:
    euler = len(found.vertices) - len(found.edges) + found.num_faces
    if euler != 1:
        fail(f"V - E + F = 1, got {euler}")


def _check_areas(found: Subdivision) -> None:
    border = np.flatnonzero(found.neighbours.min(1) < 0)
    ends = found.vertices[found.edges[border]]
    turned = found.neighbours[border, 0] < 0
    ends[turned] = ends[turned, ::-1]
    centre = found.vertices.mean(0)
    (ax, ay), (bx, by) = (ends[:, 0] - centre).T, (ends[:, 1] - centre).T
    whole = (ax * by - ay * bx).sum() / 2
    if abs(found.areas.sum() - whole) > TOLERANCE * whole:
        fail(f"areas that add up to {whole:.12g}, got {found.areas.sum():.12g}")
    worst = int(np.argmin(found.areas))
    if found.areas[worst] < -TOLERANCE * whole:
        fail(f"no face turned over, got face {worst} of area {found.areas[worst]:.3g}")


def _check_convex(found: Subdivision) -> None:
    starts = found.vertices[found.face_vertices]
    ends = found.vertices[found.edges[found.face_edges].sum(1) - found.face_vertices]
    sides = ends - starts
    after = np.arange(len(sides)) + 1
    after[found.face_offsets[1:] - 1] = found.face_offsets[:-1]
    turns = sides[:, 0] * sides[after, 1] - sides[:, 1] * sides[after, 0]
    lengths = np.hypot(*sides.T)
    size = np.ptp(found.vertices, axis=0).max()
    # How far each corner lies inside the line through its two neighbours; negative outside.
    depth = turns / np.maximum(np.maximum(lengths, lengths[after]), 1e-300)
    worst = int(np.argmin(depth))
    if depth[worst] < -TOLERANCE * size:
        face = int(np.searchsorted(found.face_offsets, worst, side="right")) - 1
        fail(f"convex faces, got face {face}, which is dented by {-depth[worst]:.3g}")
