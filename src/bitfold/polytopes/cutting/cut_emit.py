"""Compiled loops that write what faces are cut into. Importing this module imports Numba."""

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.cutting.cut_chords import CHORD, NEXT, NEXT_COPY, ORIGIN, SIDE, TWIN
from bitfold.polytopes.cutting.cut_edges import Doubles, Ints, Words, count_bits, lowest_bit
from bitfold.polytopes.cutting.cut_faces import EDGE, END, NEURON, START, VERTEX
from bitfold.runtime.inlining import inlined

#: How many of each were made: faces, vertices, edges, sides, further owners; chords given up; and
#: whether the cut was broken off, as there were too many faces.
FACES, VERTICES, EDGES, SIDES, FURTHER, GIVEN_UP, BROKEN_OFF = 0, 1, 2, 3, 4, 5, 6


@inlined
def end_face(starts: Ints, counts: NDArray[np.int64]) -> None:
    """Count a face whose sides are written."""
    counts[FACES] += 1
    starts[counts[FACES]] = counts[SIDES]


@inlined
def count_folds(face: int, masks: Words) -> tuple[int, int]:
    """How many neurons fold a face, and one of them."""
    count, neuron = 0, -1
    for word in range(masks.shape[1]):
        if masks[face, word]:
            count += count_bits(masks[face, word])
            neuron = 64 * word + lowest_bit(masks[face, word])
    return count, neuron


@inlined
def keep_face(
    face: int,
    starts: Ints,
    refs: Ints,
    children: Ints,
    new_starts: Ints,
    sides: Ints,
    counts: NDArray[np.int64],
) -> None:
    """Write a face that nothing folds."""
    for k in range(starts[face], starts[face + 1]):
        sides[counts[SIDES]] = 2 * children[refs[k] >> 1] + (refs[k] & 1)
        counts[SIDES] += 1
    end_face(new_starts, counts)


@inlined
def cut_once(
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
        end_face(new_starts, counts)
        at += 1
        for k in range(end, place + start):
            sides[at] = boundary[k if k < place else k - place, EDGE]
            at += 1
        sides[at] = 2 * (first_edge + number)
        counts[SIDES] = at + 1
        end_face(new_starts, counts)
    return is_plain


@inlined
def emit(
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
                emit_copies(halves[half, CHORD], first_edge + edge, chords, further, counts)
            sides[counts[SIDES]] = halves[half, SIDE]
            counts[SIDES] += 1
            after = halves[half, NEXT]
            halves[half, NEXT] = -1
            half = after
        end_face(starts, counts)
    counts[VERTICES] += num_inner


@inlined
def emit_copies(
    chord: int, edge: int, chords: Ints, further: Ints, counts: NDArray[np.int64]
) -> None:
    """Write the further owners of an edge: neurons whose chords are the same segment."""
    other = chords[chord, NEXT_COPY]
    while other >= 0:
        if counts[FURTHER] < len(further):
            further[counts[FURTHER], 0] = edge
            further[counts[FURTHER], 1] = chords[other, NEURON]
        counts[FURTHER] += 1
        other = chords[other, NEXT_COPY]
