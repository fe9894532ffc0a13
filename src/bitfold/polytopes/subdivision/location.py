"""Finds the face that contains a point, by a tree of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]

# Faces in each leaf: fewer make the tree deeper, more cost needless comparisons.
_LEAF_FACES = 4
# How far beyond a face's side a point may lie through rounding, relative to the largest coordinate.
# Interpolating a vertex between two others adds about two roundings; this allows 100 in a row.
_TOLERANCE = 2.0**-44
# Bits of each coordinate that order the centres along the curve.
_CURVE_BITS = 26


class FaceTree:
    """A binary tree of boxes around the faces of a subdivision.

    Source: faces are sorted along the curve of Morton 1966, "A computer oriented geodetic data
    base". Neighbours share a box, and boxes are joined in pairs up to the root.

    Args:
        vertices: float64 (V, 2).
        face_offsets: int32 (F + 1,), where each face begins in ``face_vertices``.
        face_vertices: int32, the vertices around each face, counter-clockwise.
    """

    def __init__(self, vertices: Doubles, face_offsets: Ints, face_vertices: Ints) -> None:
        starts = face_offsets[:-1]
        corners = vertices[face_vertices]
        low, high = np.minimum.reduceat(corners, starts), np.maximum.reduceat(corners, starts)
        order = np.argsort(_along_curve((low + high) / 2), kind="stable")
        self._tree = order, _boxes(np.concatenate([low, high], 1)[order]), _LEAF_FACES
        self._tolerance = _TOLERANCE * float(np.abs(vertices).max())
        self._faces = vertices, face_offsets, face_vertices

    def locate(self, points: Doubles) -> NDArray[np.int64]:
        """The face that contains each point (N, 2), int64 (N,); -1 outside all faces."""
        # Numba takes half a second to import, so it is imported only when points are located.
        from bitfold.polytopes.subdivision.location_kernels import locate_points  # noqa: PLC0415

        found = np.empty(len(points), np.int64)
        locate_points(np.ascontiguousarray(points), self._faces, self._tree, self._tolerance, found)
        return found


def _boxes(of_faces: Doubles) -> Doubles:
    """The nodes (2 n, 4) of the tree, as low x, low y, high x, high y.

    Node 1 is the root, and the children of node k are 2 k and 2 k + 1. The last n nodes are the
    leaves; each holds the next `_LEAF_FACES` faces in order.
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
    """The box around each run of ``count`` boxes."""
    grouped = boxes.reshape(-1, count, 4)
    return np.concatenate([grouped[..., :2].min(1), grouped[..., 2:].max(1)], 1)


def _along_curve(points: Doubles) -> NDArray[np.uint64]:
    """Positions of points (N, 2) along Morton's curve: the coordinates' bits, interleaved."""
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
