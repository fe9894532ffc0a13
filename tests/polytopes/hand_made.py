"""A subdivision made by hand, without a network."""

from __future__ import annotations

import numpy as np

from bitfold.polytopes.subdivision.subdivision import Subdivision


def crossed_square() -> Subdivision:
    """Return the unit square, cut by line 0 at x = 1/4 and by line 1 at y = 1/2.

    Faces 0 to 3 are lower left, lower right, upper right and upper left.
    """
    vertices = [
        (0, 0), (0.25, 0), (1, 0), (1, 0.5), (1, 1), (0.25, 1), (0, 1), (0, 0.5), (0.25, 0.5)
    ]  # fmt: skip
    edges = [
        (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 0),
        (1, 8), (8, 5), (7, 8), (8, 3),
    ]  # fmt: skip
    faces = [(0, 1, 8, 7), (1, 2, 3, 8), (8, 3, 4, 5), (7, 8, 5, 6)]
    sides = [(0, 8, 10, 7), (1, 2, 11, 8), (11, 3, 4, 9), (10, 9, 5, 6)]
    neighbours = [
        (0, -1), (1, -1), (1, -1), (2, -1), (2, -1), (3, -1), (3, -1), (0, -1),
        (0, 1), (3, 2), (3, 0), (2, 1),
    ]  # fmt: skip
    return Subdivision(
        np.array(vertices, np.float64),
        np.array(edges, np.int32),
        np.arange(0, 17, 4, dtype=np.int32),
        np.array(faces, np.int32).ravel(),
        np.array(sides, np.int32).ravel(),
        np.array(neighbours, np.int32),
        np.array([0] * 8 + [0, 1, 2, 3, 4], np.int32),
        np.array([0, 0, 1, 1], np.int32),
    )
