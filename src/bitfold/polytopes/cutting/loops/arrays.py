"""The arrays that the loops of a cut hand to each other, and their columns."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Words = NDArray[np.uint64]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

Faces = tuple[Ints, Ints]
"""The first side of each face (faces + 1,); all sides, counter-clockwise around their faces. Side
2 e runs along edge e, side 2 e + 1 against it."""

Signs = tuple[Words, Words]
"""Bit masks (vertices, words) of the neurons that are surely positive, and surely negative, at each
vertex: bit k % 64 of word k // 64 belongs to neuron k."""

# Columns of a boundary: the vertex at a place, and the side from there to the next place. A place
# is a corner of a face, or a vertex at which folds cross an edge of the face.
VERTEX, SIDE = 0, 1

# Columns of chords: the places at which a chord begins and ends (start < end); its neuron; the
# neuron's sign at the places between them; the chord for which `Work.meetings` is worked out;
# whether an earlier chord is the same segment; the next chord that is, -1 for none.
START, END, NEURON, INSIDE, MET, IS_COPY, NEXT_COPY = 0, 1, 2, 3, 4, 5, 6
NUM_CHORD_COLUMNS = 7

# Columns of half-edges: the next and the previous half-edge around their piece; where they begin;
# the half-edge on the other side, -1 on the boundary; their side, -1 until it has a number; their
# chord, -1 on the boundary.
NEXT, PREVIOUS, ORIGIN, TWIN, HALF_SIDE, CHORD = 0, 1, 2, 3, 4, 5
NUM_HALF_COLUMNS = 6

#: Numbers of faces, vertices within faces, edges within faces, sides, further owners and abandoned
#: chords that a cut has made, and whether it was stopped because there were too many faces.
FACES, VERTICES, EDGES, SIDES, FURTHER, GIVEN_UP, BROKEN_OFF = 0, 1, 2, 3, 4, 5, 6
NUM_COUNTS = 7


class Uncut(NamedTuple):
    """The faces of a mesh before a cut, and the vertices at which folds cross their edges.

    Attributes:
        starts: the first side of each face (faces + 1,).
        sides: see `Faces`.
        edges: the two vertices of each edge (edges, 2).
        children: the first of the edges into which each edge is split (edges + 1,).
        firsts: the first crossing of each edge (edges + 1,).
        neurons: the neuron of each crossing.
        vertices: the vertex of each crossing.
        above: see `Signs`.
        below: see `Signs`.
        masks: the neurons that fold each face (faces, words), a bit each.
    """

    starts: Ints
    sides: Ints
    edges: Ints
    children: Ints
    firsts: Ints
    neurons: Ints
    vertices: Ints
    above: Words
    below: Words
    masks: Words


class Values(NamedTuple):
    """The values of a layer's neurons, and the new vertices on edges.

    Attributes:
        values: float64 (vertices, neurons), at the old vertices.
        bounds: (neurons,), the largest error of a value.
        ends: the two vertices of the edge on which each new vertex lies (new, 2).
        along: the position of each new vertex on its edge (new,), from 0 to 1.
    """

    values: Doubles
    bounds: Doubles
    ends: Ints
    along: Doubles


class Work(NamedTuple):
    """Working memory for one face.

    Attributes:
        boundary: (places, 2), see the columns above.
        marks: (places,), signs of one neuron.
        chords: (chords, 7), see the columns above.
        meetings: where another chord meets each chord, from 0 to 1, and the error of that
            (chords, 2).
        zeros: the number of places at which each chord's neuron is 0 (chords,).
        ranks: the number of chords of earlier words (words,).
        halves: half-edges (halves, 6), see the columns above.
        leaving: a half-edge that begins at each vertex. Vertices are numbered by their places,
            then those within the face follow.
        inner: the chord on which each vertex within the face lies.
        inner_at: the position on that chord, from 0 to 1, and its error (inner, 2).
    """

    boundary: Ints
    marks: NDArray[np.int8]
    chords: Ints
    meetings: Doubles
    zeros: Ints
    ranks: Ints
    halves: Ints
    leaving: Ints
    inner: Ints
    inner_at: Doubles


class Made(NamedTuple):
    """The vertices, edges and faces that a cut makes.

    Attributes:
        ends: the two places' vertices between which each vertex within a face lies (new, 2).
        along: its position between them (new,), from 0 to 1.
        edges: (new, 2), the two vertices of each edge within a face.
        neurons: the neuron whose fold is that edge (new,).
        starts: the first side of each face (faces + 1,).
        sides: see `Faces`.
        further: new edges, and further neurons whose folds are the same segment (k, 2).
        counts: (7,), see `FACES` and what follows it.
    """

    ends: Ints
    along: Doubles
    edges: Ints
    neurons: Ints
    starts: Ints
    sides: Ints
    further: Ints
    counts: Longs


class Split(NamedTuple):
    """The edges of a mesh, split at the vertices at which folds cross them.

    Attributes:
        ends: the two vertices of the old edge on which each new vertex lies (new, 2).
        along: the position of each new vertex on its edge (new,), from 0 to 1.
        edges: (edges, 2).
        owners: (edges,).
        children: the first of the edges into which each old edge is split (old edges + 1,).
        firsts: the first crossing of each old edge (old edges + 1,).
        neurons: the neuron of each crossing.
        vertices: the vertex of each crossing.
        crossed: the neurons that cross each old edge (old edges, words), a bit each.
        num_vertices: the number of vertices, old and new.
    """

    ends: Ints
    along: Doubles
    edges: Ints
    owners: Ints
    children: Ints
    firsts: Ints
    neurons: Ints
    vertices: Ints
    crossed: Words
    num_vertices: int


class Cut(NamedTuple):
    """What a cut makes of a mesh.

    Attributes:
        ends: the two vertices of the segment on which each new vertex lies (new, 2).
        along: the position of each new vertex on its segment (new,), from 0 to 1.
        edges: (edges, 2).
        owners: (edges,).
        faces: see `Faces`.
        children: the first of the edges into which each old edge is split (old edges + 1,).
        further: edges, and further neurons that own them (k, 2).
        touching: old edges, and neurons that are 0 along them (k, 2); see `sizes.measure_faces`.
        num_further: the number of further owners; there may be less room for them.
        num_touching: the number of touching edges; there may be less room for them.
        num_given_up: the number of chords that were abandoned.
        num_needed: the room that further owners and touching edges need.
        is_broken_off: 1 if the cut was stopped because there were too many faces, else 0.
    """

    ends: Ints
    along: Doubles
    edges: Ints
    owners: Ints
    faces: Faces
    children: Ints
    further: Ints
    touching: Ints
    num_further: int
    num_touching: int
    num_given_up: int
    num_needed: int
    is_broken_off: int
