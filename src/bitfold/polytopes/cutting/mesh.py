"""A convex piece of the plane cut into faces, layer after layer of neurons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import PolytopeError

#: Owner of an edge on the border of the domain.
BORDER = -1
# Room for edges with several owners; what does not fit is counted, and the cut done again.
_NUM_SPARE = 256

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Description = tuple[Ints, Ints, Ints, Ints, Ints]
"""See `Mesh.described`."""


class Mesh:
    """Vertices, edges and faces of a planar subdivision; each cut makes it finer.

    Source: none, ours. Every new vertex lies on an edge or chord whose ends are earlier vertices:
    what is known of all vertices is interpolated, and both faces beside an edge have the same
    vertices on it.

    Args:
        corners: (n, 2), of a convex polygon, counter-clockwise.

    Attributes:
        points: float64 (vertices, 2).
        edges: int32 (edges, 2), from which vertex to which.
        owners: int32 (edges,), the neuron whose fold made the edge; `BORDER`.
        further: int32 (k, 2), edges and further neurons whose folds coincide with them.
        faces: by face the first of its sides (faces + 1,); sides in turn, counter-clockwise: 2 e
            along edge e and 2 e + 1 against it.
        num_given_up: folds that end within a face too thin to say how they go on.
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
        """How many faces there are."""
        return len(self.faces[0]) - 1

    def cut(
        self, values: Doubles, bounds: Doubles, first_neuron: int, max_faces: int
    ) -> tuple[Ints, Doubles]:
        """Cut all faces along the folds of some neurons.

        Args:
            values: (vertices, neurons), affine on each face; a neuron folds where it changes sign.
            bounds: (neurons,), what a value may be off by: it counts as 0 up to there.
            first_neuron: number of the first of them among all.
            max_faces: of which there may be no more.

        Returns:
            Of the new vertices the ends of what they lie on (new, 2), and how far along (new,).

        Raises:
            PolytopeError: there are more faces, or a value is not finite.
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
        """Hand further owners on to what becomes of edges, and add new ones."""
        if len(self.further) == len(further) == len(touching) == 0:
            return
        # Along a touching edge a neuron is 0: it folds there if it is positive on one side alone.
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
        """What lies beside what, for those who look at the mesh.

        Returns:
            The vertices around all faces, in the order of their sides, and the edges from there to
            the next; the faces left and right of each edge (edges, 2), -1 for none; all owners of
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
        """The faces on both sides of each edge, see `described`."""
        return self.described()[2]

    def corners(self) -> Ints:
        """The vertices around all faces, see `described`."""
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
