"""One cut: all faces folded by all neurons of a layer. Importing this module imports Numba."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bitfold.polytopes import cut_faces as sizes_of
from bitfold.polytopes.cut_chords import (
    CHORD,
    IS_COPY,
    NEXT,
    NEXT_COPY,
    ORIGIN,
    SIDE,
    TWIN,
    lay_boundary,
    lay_chord,
)
from bitfold.polytopes.cut_edges import (
    Doubles,
    Ints,
    Words,
    classify,
    count_bits,
    cross_edges,
    lowest_bit,
    split_edges,
)
from bitfold.polytopes.cut_faces import (
    EDGE,
    END,
    NEURON,
    START,
    VERTEX,
    Before,
    Faces,
    find_chords,
    measure_faces,
    orient_chords,
)

Numbers = tuple[Doubles, Doubles, Ints, Doubles]
"""Values (vertices, neurons) and what they may be off by (neurons,); of the new vertices on edges
the ends of their edges (new, 2) and how far along they are (new,)."""

Made = tuple[Ints, Doubles, Ints, Ints, Ints, Ints, Ints, Ints]
"""Written: of the new vertices within faces the ends of their chords (new, 2) and how far along
they are (new,); new edges (new, 2) and their neurons (new,); by face the first of its sides, sides
(see `cut_faces.Faces`), and the face that it was part of; further owners of new edges (k, 2)."""

#: How many of each were made: faces, vertices, edges, sides, further owners; and chords given up.
FACES, VERTICES, EDGES, SIDES, FURTHER, GIVEN_UP = 0, 1, 2, 3, 4, 5


@njit(cache=True, nogil=True)
def cut_faces(
    before: Before,
    numbers: Numbers,
    offsets: tuple[int, int],
    sizes: NDArray[np.int64],
    made: Made,
) -> NDArray[np.int64]:
    """Cut every face along its folds.

    Source: none, ours: chords that are laid one after the other into a half-edge structure.

    Args:
        before: see `cut_faces.Before`.
        numbers: see `Numbers`.
        offsets: number of the first vertex within a face, and of the first edge within one.
        sizes: see `cut_faces.measure_faces`.
        made: see `Made`.

    Returns:
        How many of each were made, (6,).
    """
    # Unpacked once: Numba counts references to each array that a tuple is asked for.
    (starts, refs), edges, children, (firsts, neurons, vertices), (above, below), masks = before
    values, bounds, ends, along = numbers
    boundary, marks, chords, meetings, zeros, ranks, halves, leaving, inner, inner_at = _make_room(
        sizes, masks.shape[1]
    )
    new_ends, new_along, new_edges, new_neurons, new_starts, sides, parents, further = made
    counts = np.zeros(6, np.int64)
    new_starts[0] = 0
    for face in range(len(starts) - 1):
        num_folds, neuron = 0, -1
        for word in range(masks.shape[1]):
            if masks[face, word]:
                num_folds += count_bits(masks[face, word])
                neuron = 64 * word + lowest_bit(masks[face, word])
        if num_folds == 0:
            for k in range(starts[face], starts[face + 1]):
                sides[counts[SIDES]] = 2 * children[refs[k] >> 1] + (refs[k] & 1)
                counts[SIDES] += 1
            _end_face(face, parents, new_starts, counts)
            continue
        if num_folds == 1 and _cut_once(
            face, neuron, starts, refs, edges, children, firsts, vertices, above, below, boundary,
            offsets[1], new_edges, new_neurons, new_starts, sides, parents, counts,
        ):  # fmt: skip
            continue
        num_places, found = find_chords(
            face, starts, refs, edges, children, firsts, neurons, vertices, above, below, masks,
            boundary, chords, zeros, ranks,
        )  # fmt: skip
        num_chords = orient_chords(
            face, starts, refs, edges, firsts, neurons, vertices, above, below, boundary,
            num_places, found, chords, zeros, marks,
        )  # fmt: skip
        counts[GIVEN_UP] += found - num_chords
        lay_boundary(num_places, num_chords, boundary, chords, halves, leaving)
        num_halves, num_inner = num_places, 0
        for chord in range(num_chords):
            if _is_copy(chord, chords):
                continue
            num_halves, num_inner, is_laid = lay_chord(
                chord, num_places, num_halves, num_inner, halves, leaving, chords, meetings,
                inner, inner_at, boundary, values, bounds, ends, along,
            )  # fmt: skip
            counts[GIVEN_UP] += not is_laid
        _emit(
            face, num_places, num_halves, num_inner, boundary, chords, halves, inner, inner_at,
            offsets[0], offsets[1], new_ends, new_along, new_edges, new_neurons, new_starts,
            sides, parents, further, counts,
        )  # fmt: skip
    return counts


@njit(cache=True, nogil=True, inline="always")
def _cut_once(
    face: int,
    neuron: int,
    starts: Ints,
    refs: Ints,
    edges: Ints,
    children: Ints,
    firsts: Ints,
    vertices: Ints,
    above: Words,
    below: Words,
    boundary: Ints,
    first_edge: int,
    new_edges: Ints,
    new_neurons: Ints,
    new_starts: Ints,
    sides: Ints,
    parents: Ints,
    counts: NDArray[np.int64],
) -> bool:
    """Cut a face that one neuron folds, without half-edges; False if it is 0 at other than two
    places that are apart."""
    word, bit = neuron >> 6, np.uint64(1) << np.uint64(neuron & 63)
    place = num_zeros = start = end = 0
    for k in range(starts[face], starts[face + 1]):
        edge, is_back = refs[k] >> 1, refs[k] & 1
        vertex = edges[edge, is_back]
        boundary[place, VERTEX] = vertex
        boundary[place, EDGE] = 2 * children[edge] if is_back == 0 else 2 * children[edge + 1] - 1
        if not ((above[vertex, word] | below[vertex, word]) & bit):
            start, end = end, place
            num_zeros += 1
        place += 1
        if firsts[edge] < firsts[edge + 1]:
            boundary[place, VERTEX] = vertices[firsts[edge]]
            boundary[place, EDGE] = boundary[place - 1, EDGE] + 2 - 4 * is_back
            start, end = end, place
            num_zeros += 1
            place += 1
    is_plain = num_zeros == 2 and 1 < end - start < place - 1
    if is_plain:
        number = counts[EDGES]
        new_edges[number, 0] = boundary[start, VERTEX]
        new_edges[number, 1] = boundary[end, VERTEX]
        new_neurons[number] = neuron
        counts[EDGES] += 1
        at = counts[SIDES]
        for k in range(start, end):
            sides[at] = boundary[k, EDGE]
            at += 1
        sides[at] = 2 * (first_edge + number) + 1
        counts[SIDES] = at + 1
        _end_face(face, parents, new_starts, counts)
        at += 1
        for k in range(end, place + start):
            sides[at] = boundary[k if k < place else k - place, EDGE]
            at += 1
        sides[at] = 2 * (first_edge + number)
        counts[SIDES] = at + 1
        _end_face(face, parents, new_starts, counts)
    return is_plain


@njit(cache=True, nogil=True)
def _make_room(
    sizes: NDArray[np.int64], num_words: int
) -> tuple[Ints, NDArray[np.int8], Ints, Doubles, Ints, Ints, Ints, Ints, Ints, Doubles]:
    """Room for one face at a time.

    Returns:
        Its boundary (places, 2); marks (places,); chords (chords, 7), and where they meet another
        one and how surely (chords, 2); zeros (chords,); ranks (words,); half-edges (halves, 6); by
        vertex a half-edge that leaves it; by inner vertex its chord, and where on it (inner, 2).
    """
    places, chords = sizes[sizes_of.MOST_PLACES], sizes[sizes_of.MOST_CHORDS]
    halves, inner = sizes[sizes_of.MOST_HALVES], sizes[sizes_of.MOST_INNER]
    return (
        np.empty((places, 2), np.int32),
        np.empty(places, np.int8),
        np.empty((chords, 7), np.int32),
        np.empty((chords, 2), np.float64),
        np.empty(chords, np.int32),
        np.empty(num_words, np.int32),
        np.empty((halves, 6), np.int32),
        np.empty(places + inner, np.int32),
        np.empty(inner, np.int32),
        np.empty((inner, 2), np.float64),
    )


@njit(cache=True, nogil=True, inline="always")
def _end_face(face: int, parents: Ints, starts: Ints, counts: NDArray[np.int64]) -> None:
    parents[counts[FACES]] = face
    counts[FACES] += 1
    starts[counts[FACES]] = counts[SIDES]


@njit(cache=True, nogil=True, inline="always")
def _is_copy(chord: int, chords: Ints) -> bool:
    """Whether an earlier chord lies between the same places: it then is the same segment."""
    chords[chord, NEXT_COPY] = -1
    chords[chord, IS_COPY] = 0
    found = False
    for other in range(chord):
        is_same = chords[other, START] == chords[chord, START]
        if is_same and chords[other, END] == chords[chord, END] and chords[other, IS_COPY] == 0:
            chords[chord, IS_COPY] = 1
            chords[chord, NEXT_COPY] = chords[other, NEXT_COPY]
            chords[other, NEXT_COPY] = chord
            found = True
            break
    return found


@njit(cache=True, nogil=True, inline="always")
def _emit(
    face: int,
    num_places: int,
    num_halves: int,
    num_inner: int,
    boundary: Ints,
    chords: Ints,
    halves: Ints,
    inner: Ints,
    inner_at: Doubles,
    first_vertex: int,
    first_edge: int,
    ends: Ints,
    along: Doubles,
    edges: Ints,
    neurons: Ints,
    starts: Ints,
    sides: Ints,
    parents: Ints,
    further: Ints,
    counts: NDArray[np.int64],
) -> None:
    """Write the vertices, edges and faces that a face was cut into."""
    first = counts[VERTICES]
    for k in range(num_inner):
        ends[first + k, 0] = boundary[chords[inner[k], START], VERTEX]
        ends[first + k, 1] = boundary[chords[inner[k], END], VERTEX]
        along[first + k] = inner_at[k, 0]
    shift = first_vertex + first - num_places
    for start in range(num_halves):
        if halves[start, NEXT] < 0:
            continue
        half = start
        while halves[half, NEXT] >= 0:
            if halves[half, SIDE] < 0:
                edge, twin = counts[EDGES], halves[half, TWIN]
                a, b = halves[half, ORIGIN], halves[twin, ORIGIN]
                edges[edge, 0] = boundary[a, VERTEX] if a < num_places else shift + a
                edges[edge, 1] = boundary[b, VERTEX] if b < num_places else shift + b
                neurons[edge] = chords[halves[half, CHORD], NEURON]
                halves[half, SIDE] = 2 * (first_edge + edge)
                halves[twin, SIDE] = 2 * (first_edge + edge) + 1
                counts[EDGES] += 1
                _emit_copies(halves[half, CHORD], first_edge + edge, chords, further, counts)
            sides[counts[SIDES]] = halves[half, SIDE]
            counts[SIDES] += 1
            after = halves[half, NEXT]
            halves[half, NEXT] = -1
            half = after
        _end_face(face, parents, starts, counts)
    counts[VERTICES] += num_inner


@njit(cache=True, nogil=True, inline="always")
def _emit_copies(
    chord: int, edge: int, chords: Ints, further: Ints, counts: NDArray[np.int64]
) -> None:
    other = chords[chord, NEXT_COPY]
    while other >= 0:
        if counts[FURTHER] < len(further):
            further[counts[FURTHER], 0] = edge
            further[counts[FURTHER], 1] = chords[other, NEURON]
        counts[FURTHER] += 1
        other = chords[other, NEXT_COPY]


@njit(cache=True, nogil=True)
def cut(
    values: Doubles,
    bounds: Doubles,
    edges: Ints,
    owners: Ints,
    faces: Faces,
    first_neuron: int,
    num_spare: int,
) -> Any:
    """Cut all faces along the folds of a layer's neurons.

    Source: none, ours.

    Args:
        values: float64 (vertices, neurons), 0 on a fold and affine on each face.
        bounds: (neurons,), what a value may be off by.
        edges: int32 (edges, 2).
        owners: int32 (edges,), kept by what becomes of an edge.
        faces: see `cut_faces.Faces`.
        first_neuron: number of the first of these neurons among all, by which they own edges.
        num_spare: room for so many further owners, and for as many touching edges.

    Returns:
        Ends (new, 2) of what each new vertex lies on, and how far along (new,); edges,
        owners, faces, parents (faces,); first child of each old edge (edges + 1,);
        further owners (k, 2), touching edges (k, 2, old numbers); how many of both there are, how
        many chords were given up, and for how many there must be room for all to be there.
    """
    num_words = (values.shape[1] + 63) // 64
    above = np.empty((len(values), num_words), np.uint64)
    below = np.empty((len(values), num_words), np.uint64)
    classify(values, bounds, above, below)
    signs = (above, below)
    firsts, neurons, places, vertices, children, num_vertices = cross_edges(
        edges, signs, values, bounds
    )
    num_new, num_edges = num_vertices - len(values), children[-1]
    ends, along = np.empty((num_new, 2), np.int32), np.empty(num_new)
    outer, outer_owners = np.empty((num_edges, 2), np.int32), np.empty(num_edges, np.int32)
    crossings = (firsts, places, vertices)
    split_edges(edges, owners, crossings, len(values), (ends, along, outer, outer_owners))
    masks = np.empty((len(faces[0]) - 1, num_words), np.uint64)
    touching, sizes = np.empty((num_spare, 2), np.int32), np.empty(9, np.int64)
    measure_faces(faces, edges, signs, masks, touching, sizes)
    made = make_made(sizes, num_spare)
    before = (faces, edges, children, (firsts, neurons, vertices), signs, masks)
    numbers = (values, bounds, ends, along)
    counts = cut_faces(before, numbers, (num_vertices, num_edges), sizes, made)
    num_faces, num_sides = counts[FACES], counts[SIDES]
    return (
        np.concatenate((ends, made[0][: counts[VERTICES]])),
        np.concatenate((along, made[1][: counts[VERTICES]])),
        np.concatenate((outer, made[2][: counts[EDGES]])),
        np.concatenate((outer_owners, made[3][: counts[EDGES]] + np.int32(first_neuron))),
        (made[4][: num_faces + 1].copy(), made[5][:num_sides].copy()),
        made[6][:num_faces].copy(),
        children,
        made[7],
        touching,
        (
            counts[FURTHER],
            sizes[sizes_of.NUM_TOUCHING],
            counts[GIVEN_UP],
            max(counts[FURTHER], sizes[sizes_of.NUM_TOUCHING]),
        ),
    )


@njit(cache=True, nogil=True)
def make_made(sizes: NDArray[np.int64], num_spare: int) -> Made:
    """Room for what a cut makes, see `cut_faces.measure_faces`."""
    num_faces, num_vertices = sizes[sizes_of.NUM_FACES], sizes[sizes_of.NUM_VERTICES]
    num_edges = sizes[sizes_of.NUM_EDGES]
    return (
        np.empty((num_vertices, 2), np.int32),
        np.empty(num_vertices, np.float64),
        np.empty((num_edges, 2), np.int32),
        np.empty(num_edges, np.int32),
        np.empty(num_faces + 1, np.int32),
        np.empty(sizes[sizes_of.NUM_SIDES], np.int32),
        np.empty(num_faces, np.int32),
        np.empty((num_spare, 2), np.int32),
    )
