"""Compiled loops that find the face of each point. Importing this module imports Numba."""

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]

FaceArrays = tuple[Doubles, Ints, Ints]
"""Vertices, face offsets and face vertices of a `Subdivision`."""

Tree = tuple[NDArray[np.int64], Doubles, int]
"""The faces in the order of the leaves, `location._boxes`, and the number of faces in a leaf."""

# Deeper than any tree that fits into memory.
_DEEPEST = 64


@compiled
def locate_points(
    points: Doubles,
    faces: FaceArrays,
    tree: Tree,
    tolerance: float,
    found: NDArray[np.int64],
) -> None:
    """Find a face that contains each point, or else the face that it is closest to.

    Args:
        points: (N, 2).
        faces: see `FaceArrays`.
        tree: see `Tree`.
        tolerance: the distance beyond a face's side up to which a point counts as inside.
        found: (N,), written: the face of each point, -1 for none.
    """
    order, boxes, leaf_faces = tree
    num_leaves = len(boxes) // 2
    stack = np.empty(_DEEPEST, np.int64)
    for point in range(len(points)):
        x, y = points[point, 0], points[point, 1]
        best, deepest, height = -1, -tolerance, 1
        stack[0] = 1
        while height and (best < 0 or deepest < 0):
            height -= 1
            node = stack[height]
            if (
                x < boxes[node, 0] - tolerance
                or y < boxes[node, 1] - tolerance
                or x > boxes[node, 2] + tolerance
                or y > boxes[node, 3] + tolerance
            ):
                continue
            if node < num_leaves:
                stack[height], stack[height + 1] = 2 * node, 2 * node + 1
                height += 2
                continue
            first = (node - num_leaves) * leaf_faces
            for k in range(first, min(first + leaf_faces, len(order))):
                depth = _depth(x, y, order[k], faces)
                if depth >= deepest:
                    best, deepest = order[k], depth
        found[point] = best


@compiled(inline="always")
def _depth(x: float, y: float, face: int, faces: FaceArrays) -> float:
    """Distance from a point to the nearest side of a face; negative outside the face."""
    vertices, face_offsets, face_vertices = faces
    depth = np.inf
    a = face_vertices[face_offsets[face + 1] - 1]
    for k in range(face_offsets[face], face_offsets[face + 1]):
        b = face_vertices[k]
        along_x = vertices[b, 0] - vertices[a, 0]
        along_y = vertices[b, 1] - vertices[a, 1]
        length = np.sqrt(along_x * along_x + along_y * along_y)
        if length > 0:
            crossed = along_x * (y - vertices[a, 1]) - along_y * (x - vertices[a, 0])
            depth = min(depth, crossed / length)
        a = b
    return depth
