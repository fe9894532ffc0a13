"""A convex piece of the plane cut into faces, layer after layer of neurons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import PolytopeError

#: Owner of an edge on the border of the domain.
BORDER = -1
# Room for edges with several owners. If more is needed, the cut is done again.
_NUM_SPARE = 256

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Description = tuple[Ints, Ints, Ints, Ints, Ints]
"""See `Mesh.described`."""


class Mesh:
    """Vertices, edges and faces of a planar subdivision; each cut makes it finer.

    Every new vertex lies on an edge or chord whose ends are earlier vertices. So values at vertices
    are interpolated, and the two faces beside an edge share the vertices on it.

    Args:
        corners: (n, 2), the corners of a convex polygon, counter-clockwise.

    Attributes:
        points: float64 (vertices, 2).
        edges: int32 (edges, 2), the two vertices of each edge.
        owners: int32 (edges,), the neuron whose fold made the edge, or `BORDER`.
        further: int32 (k, 2), edges, and further neurons whose folds coincide with them.
        faces: see `loops.arrays.Faces`.
        num_given_up: the number of folds that end within a face that is too thin to tell how they
            go on.
    """

    def __init__(self, corners: Doubles) -> None:
        count = len(corners)
        self.points: Doubles = np.array(corners, np.float64)
        around = np.arange(count, dtype=np.int32)
        self.edges: Ints = np.empty((count, 2), np.int32)
        self.edges[:, 0], self.edges[:-1, 1], self.edges[-1, 1] = around, around[1:], 0
        self.owners: Ints = np.full(count, BORDER, np.int32)
        self.further: Ints = np.empty((0, 2), np.int32)
        self.faces: tuple[Ints, Ints] = (np.array([0, count], np.int32), 2 * around)
        self.num_given_up = 0

    @property
    def num_faces(self) -> int:
        """The number of faces."""
        return len(self.faces[0]) - 1

    def cut(
        self, values: Doubles, bounds: Doubles, first_neuron: int, max_faces: int
    ) -> tuple[Ints, Doubles]:
        """Cut all faces along the folds of some neurons.

        Args:
            values: (vertices, neurons), affine on each face. A neuron folds where it changes sign.
            bounds: (neurons,), the largest error of a value. Smaller values count as 0.
            first_neuron: the number of the first of these neurons among all neurons.
            max_faces: the largest number of faces.

        Returns:
            The two ends of the segment on which each new vertex lies (new, 2), and its position
            between them (new,).

        Raises:
            PolytopeError: there are more faces.
        """
        # Numba takes half a second to import: only those who cut wait for it.
        from bitfold.polytopes.cutting.cut_by_threads import cut_by_threads  # noqa: PLC0415
        from bitfold.polytopes.cutting.loops.edges import extend_rows  # noqa: PLC0415

        num_spare = _NUM_SPARE
        while True:
            made = cut_by_threads(
                values,
                bounds,
                self.edges,
                self.owners,
                self.faces,
                first_neuron,
                num_spare,
                max_faces,
            )
            if made.is_broken_off or len(made.faces[0]) - 1 > max_faces:
                raise PolytopeError(
                    f"Cannot find polytopes: expected at most {max_faces:,}, got more. Choose a "
                    "smaller domain, or a larger max_polytopes."
                )
            if made.num_needed <= num_spare:
                break
            num_spare = int(made.num_needed)
        further, touching = made.further[: made.num_further], made.touching[: made.num_touching]
        self._own(made.children, further, touching, first_neuron)
        num_old = len(self.points)
        points = np.empty((num_old + len(made.along), 2))
        points[:num_old] = self.points
        extend_rows(points, made.ends, made.along, num_old)
        self.points, self.edges, self.owners, self.faces = (
            points, made.edges, made.owners, made.faces,
        )  # fmt: skip
        self.num_given_up += made.num_given_up
        return made.ends, made.along

    def _own(self, children: Ints, further: Ints, touching: Ints, first_neuron: int) -> None:
        """Hand further owners on to the edges that edges were split into, and add new owners."""
        if len(self.further) == len(further) == len(touching) == 0:
            return
        # A neuron that is 0 along an edge folds there if it is positive on one side alone.
        pairs, times = np.unique(touching, axis=0, return_counts=True)
        folded = pairs[(times == 1) & (self.owners[pairs[:, 0]] != BORDER)]
        offset = np.array([0, first_neuron], np.int32)
        old = np.concatenate([self.further, folded + offset])
        counts = children[old[:, 0] + 1] - children[old[:, 0]]
        first = np.repeat(children[old[:, 0]], counts)
        step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        handed = np.stack([first + step, np.repeat(old[:, 1], counts)], 1)
        self.further = np.concatenate([handed, further + offset]).astype(np.int32)

    def described(self) -> Description:
        """Return which vertices, edges, faces and owners are adjacent.

        Returns:
            The vertices around all faces, in the order of their sides, and the edge from each to
            the next; the faces left and right of each edge (edges, 2), -1 for none; the owners of
            each edge, ascending, as offsets (edges + 1,) and neurons. All int32.
        """
        from bitfold.polytopes.cutting.loops.edges import describe  # noqa: PLC0415 - see `cut`

        corners, around, neighbours, offsets, neurons = describe(
            self.edges, self.owners, self.faces
        )
        if len(self.further):
            offsets, neurons = self._all_owners()
        return corners, around, neighbours, offsets, neurons

    def neighbours(self) -> Ints:
        """Return the faces on both sides of each edge, see `described`."""
        return self.described()[2]

    def corners(self) -> Ints:
        """Return the vertices around all faces, see `described`."""
        return self.described()[0]

    def _all_owners(self) -> tuple[Ints, Ints]:
        is_owned = self.owners != BORDER
        edges = np.concatenate([np.flatnonzero(is_owned), self.further[:, 0]])
        neurons = np.concatenate([self.owners[is_owned], self.further[:, 1]])
        neurons = neurons[np.lexsort((neurons, edges))]
        counts = np.bincount(edges, minlength=len(self.edges))
        offsets = np.zeros(len(counts) + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        return offsets, neurons
