"""A convex polygon cut into convex faces: plain geometry, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.subdivision.location import FaceTree

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Subdivision:
    """Vertices, edges and faces of a convex polygon that is cut into convex faces.

    Nothing changes its arrays once it exists.

    Args:
        vertices: float64 (V, 2).
        edges: int32 (E, 2), the two vertices of each edge. No two edges join the same vertices.
        face_offsets: int32 (F + 1,), where each face begins in ``face_vertices``.
        face_vertices: int32, the vertices around each face, counter-clockwise.
        face_edges: int32, for each entry of ``face_vertices`` the edge to the next vertex.
        neighbours: int32 (E, 2), the faces left and right of each edge; -1 outside the polygon.
        owner_offsets: int32 (E + 1,), where the owners of each edge begin in ``owners``.
        owners: int32, numbers of the lines that each edge lies on, ascending for each edge. An
            edge on the border of the polygon has none.

    A square cut into two triangles by line 0:

    >>> square = Subdivision(
    ...     vertices=np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]),
    ...     edges=np.array([(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)], np.int32),
    ...     face_offsets=np.array([0, 3, 6], np.int32),
    ...     face_vertices=np.array([0, 1, 2, 0, 2, 3], np.int32),
    ...     face_edges=np.array([0, 1, 4, 4, 2, 3], np.int32),
    ...     neighbours=np.array([(0, -1), (0, -1), (1, -1), (1, -1), (1, 0)], np.int32),
    ...     owner_offsets=np.array([0, 0, 0, 0, 0, 1], np.int32),
    ...     owners=np.array([0], np.int32),
    ... )
    >>> square.areas.tolist(), square.locate(np.array([[0.9, 0.1], [2.0, 2.0]])).tolist()
    ([0.5, 0.5], [0, -1])
    """

    vertices: Doubles
    edges: Ints
    face_offsets: Ints
    face_vertices: Ints
    face_edges: Ints
    neighbours: Ints
    owner_offsets: Ints
    owners: Ints

    @property
    def num_faces(self) -> int:
        """The number of faces."""
        return len(self.face_offsets) - 1

    @cached_property
    def face_neighbours(self) -> Ints:
        """For each entry of ``face_edges`` the face on its other side; -1 outside the polygon."""
        own = np.repeat(np.arange(self.num_faces, dtype=np.int32), np.diff(self.face_offsets))
        found: Ints = self.neighbours[self.face_edges].sum(1, dtype=np.int32) - own
        return found

    @cached_property
    def areas(self) -> Doubles:
        """The areas of the faces, float64 (F,)."""
        corners = self.vertices[self.face_vertices] - self.vertices.mean(0)
        ends = self.edges[self.face_edges].sum(1) - self.face_vertices
        after = self.vertices[ends] - self.vertices.mean(0)
        crossed = corners[:, 0] * after[:, 1] - corners[:, 1] * after[:, 0]
        return np.add.reduceat(crossed, self.face_offsets[:-1]) / 2

    @cached_property
    def centroids(self) -> Doubles:
        """A point inside each face, the mean of its vertices: float64 (F, 2)."""
        sums = np.add.reduceat(self.vertices[self.face_vertices], self.face_offsets[:-1])
        return sums / np.diff(self.face_offsets)[:, None]

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """The edges that have an owner, ascending: all but those on the border."""
        return np.flatnonzero(np.diff(self.owner_offsets) > 0)

    @property
    def extent(self) -> tuple[Doubles, Doubles]:
        """The smallest and the largest coordinates, each float64 (2,)."""
        return self.vertices.min(0), self.vertices.max(0)

    def locate(self, points: Doubles) -> NDArray[np.int64]:
        """The face that contains each point.

        Args:
            points: float64 (N, 2), finite.

        Returns:
            int64 (N,), -1 for a point outside the polygon. A point on an edge gets one of the two
            faces beside it.
        """
        return self._tree.locate(points)

    @cached_property
    def _tree(self) -> FaceTree:
        return FaceTree(self.vertices, self.face_offsets, self.face_vertices)
