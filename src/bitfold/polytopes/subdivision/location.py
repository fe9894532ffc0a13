"""Which face holds a point: faces in a tree of boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]

# Faces in each leaf: fewer make a deeper tree, more are looked at in vain.
_LEAF_FACES = 4
# As a share of the largest coordinate, how far outside a point may be by rounding: each vertex is
# interpolated between others, which adds about two roundings; this is room for 100 in a row.
_TOLERANCE = 2.0**-44
# Bits of a centre's place along the curve, by coordinate.
_CURVE_BITS = 26


class FaceTree:
    """Finds the faces of points.

    Source: boxes around neighbours along the curve of Morton 1966, "A computer oriented geodetic
    data base", put together in pairs up to one box around all.

    Args:
        found: the partition.
    """

    def __init__(self, found: Partition) -> None:
        starts = found.face_offsets[:-1]
        corners = found.vertices[found.face_vertices]
        low, high = np.minimum.reduceat(corners, starts), np.maximum.reduceat(corners, starts)
        order = np.argsort(_along_curve((low + high) / 2), kind="stable")
        self._tree = order, _boxes(np.concatenate([low, high], 1)[order]), _LEAF_FACES
        self._tolerance = _TOLERANCE * float(np.abs(found.vertices).max())
        self._faces = found.vertices, found.face_offsets, found.face_vertices

    def locate(self, points: Doubles) -> NDArray[np.int64]:
        """The face of each point (N, 2); -1 outside."""
        # Numba takes half a second to import: only those who look for points wait for it.
        from bitfold.polytopes.subdivision.location_kernels import locate_points  # noqa: PLC0415

        found = np.empty(len(points), np.int64)
        locate_points(np.ascontiguousarray(points), self._faces, self._tree, self._tolerance, found)
        return found


def _boxes(of_faces: Doubles) -> Doubles:
    """Boxes (2 n, 4) as low x, low y, high x, high y: 2 k and 2 k + 1 are within k, 1 is the whole.

    The last n are leaves, of `_LEAF_FACES` faces each in order.
    """
    num_leaves = 1 << max(0, -(-len(of_faces) // _LEAF_FACES) - 1).bit_length()
    level = np.empty((num_leaves * _LEAF_FACES, 4))
    level[:, :2], level[:, 2:] = np.inf, -np.inf
    level[: len(of_faces)] = of_faces
    level = _joined(level, _LEAF_FACES)
    levels = [level]
    while len(levels[-1]) > 1:
        levels.append(_joined(levels[-1], 2))
    return np.concatenate([np.empty((1, 4)), *levels[::-1]])


def _joined(boxes: Doubles, count: int) -> Doubles:
    grouped = boxes.reshape(-1, count, 4)
    return np.concatenate([grouped[..., :2].min(1), grouped[..., 2:].max(1)], 1)


def _along_curve(points: Doubles) -> NDArray[np.uint64]:
    """Places of points (N, 2) along Morton's curve: the bits of both coordinates in turn."""
    low, size = points.min(0), np.maximum(np.ptp(points, axis=0), np.finfo(float).tiny)
    scaled = ((points - low) / size * (2**_CURVE_BITS - 1)).astype(np.uint64)
    spread = scaled
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        spread = (spread | (spread << np.uint64(shift))) & np.uint64(mask)
    found: NDArray[np.uint64] = spread[:, 0] | (spread[:, 1] << np.uint64(1))
    return found
