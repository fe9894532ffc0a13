"""Compiled loops over faces: which neurons fold them, and between which places of their boundary.

Importing this module imports Numba.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.cutting.cut_edges import (
    Crossings,
    Ints,
    Words,
    count_bits,
    lowest_bit,
)
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Faces = tuple[Ints, Ints]
"""By face the first of its edges (faces + 1,); edges in turn, 2 e along e and 2 e + 1 against it,
counter-clockwise."""

Before = tuple[Faces, Ints, Ints, Crossings, tuple[Words, Words], Words]
"""What was before the cut: faces; ends of edges (edges, 2); the first edge that becomes of each
(edges + 1,); crossings; signs at the vertices (see `cut_edges.classify`); by face the neurons that
fold it (faces, words)."""

# Columns of a boundary: the vertex at a place, and the edge from there to the next place.
VERTEX, EDGE = 0, 1
# Columns of chords: places where they begin and end, start < end; neuron; its sign between them.
START, END, NEURON, INSIDE = 0, 1, 2, 3

_ONE = np.uint64(1)
_UNKNOWN = 2

#: What `measure_faces` counts.
NUM_FACES, NUM_VERTICES, NUM_EDGES, NUM_SIDES = 0, 1, 2, 3
MOST_PLACES, MOST_CHORDS, MOST_HALVES, MOST_INNER, NUM_TOUCHING = 4, 5, 6, 7, 8


@compiled
def measure_faces(
    faces: Faces,
    edges: Ints,
    signs: tuple[Words, Words],
    crossed: tuple[Words, bool],
    masks: Words,
    touching: Ints,
    sizes: NDArray[np.int64],
) -> None:
    """Find the neurons that fold each face, and bounds of what cutting will take.

    Source: none, ours.

    Args:
        faces: see `Faces`.
        edges: (edges, 2).
        signs: see `cut_edges.classify`.
        crossed: by edge the neurons that cross it (edges, words), and whether some vertices lie on
            folds; if not, a neuron that folds a face crosses its edges.
        masks: (faces, words), written.
        touching: (k, 2), written as far as it goes: edges along which a neuron is 0, and the
            neuron, once for each face beside them in which it is positive.
        sizes: (9,), written: at most so many faces, new vertices within faces, new edges within
            them, and sides of faces; places, chords, half-edges and inner vertices of the largest
            face; how many touching edges there are.
    """
    starts, refs, ends = borrowed(faces[0]), borrowed(faces[1]), borrowed(edges)
    above, below, masks = borrowed(signs[0]), borrowed(signs[1]), borrowed(masks)
    crossing, has_zeros = borrowed(crossed[0]), crossed[1]
    sizes[:] = 0
    # Most faces are not folded at all: what they add is kept in registers.
    unfolded_sides, most_sides, unfolded = 0, 0, 0
    for face in range(len(starts) - 1):
        num_chords, zeros = 0, False
        for word in range(masks.shape[1]):
            if not has_zeros:
                folding = np.uint64(0)
                for k in range(starts[face], starts[face + 1]):
                    folding |= crossing[refs[k] >> 1, word]
                masks[face, word] = folding
                num_chords += count_bits(folding)
                continue
            up, down, both = np.uint64(0), np.uint64(0), ~np.uint64(0)
            for k in range(starts[face], starts[face + 1]):
                vertex = ends[refs[k] >> 1, refs[k] & 1]
                up |= above[vertex, word]
                down |= below[vertex, word]
                both &= above[vertex, word] | below[vertex, word]
            masks[face, word] = up & down
            num_chords += count_bits(up & down)
            zeros |= (up & ~down & ~both) != 0
        if zeros:
            _note_touching(face, faces, edges, signs, touching, sizes)
        if num_chords > 0:
            _add_sizes(starts[face + 1] - starts[face], num_chords, sizes)
            continue
        unfolded += 1
        unfolded_sides += starts[face + 1] - starts[face]
        most_sides = max(most_sides, starts[face + 1] - starts[face])
    sizes[NUM_FACES] += unfolded
    sizes[NUM_SIDES] += unfolded_sides
    sizes[MOST_PLACES] = max(sizes[MOST_PLACES], most_sides)
    sizes[MOST_HALVES] = max(sizes[MOST_HALVES], most_sides)


@compiled
def _add_sizes(num_sides: int, num_chords: int, sizes: NDArray[np.int64]) -> None:
    pairs = num_chords * (num_chords - 1) // 2
    places = num_sides + 2 * num_chords
    inner_edges = num_chords + 2 * pairs
    sizes[NUM_FACES] += 1 + num_chords + pairs
    sizes[NUM_VERTICES] += pairs
    sizes[NUM_EDGES] += inner_edges
    sizes[NUM_SIDES] += places + 2 * inner_edges
    sizes[MOST_PLACES] = max(sizes[MOST_PLACES], places)
    sizes[MOST_CHORDS] = max(sizes[MOST_CHORDS], num_chords)
    sizes[MOST_HALVES] = max(sizes[MOST_HALVES], places + 2 * inner_edges)
    sizes[MOST_INNER] = max(sizes[MOST_INNER], pairs)


@compiled
def limit_sizes(sizes: NDArray[np.int64], max_faces: int) -> None:
    """Lower bounds of what cutting will take to what it can take before it is broken off.

    The largest number of faces is far from what many folds through one point make, so it is no
    reason to refuse a cut. But each step of a chord makes one face more, at most one vertex and two
    edges: so many faces bound everything else.

    Source: none, ours.

    Args:
        sizes: of `measure_faces`, changed.
        max_faces: beyond which `cut.cut_faces` stops.
    """
    # A chord is laid whole before faces are counted; see `cut_chords.lay_chord` for its steps.
    steps = max_faces + 4 * (sizes[MOST_CHORDS] + 4)
    num_places = sizes[NUM_SIDES] - 2 * sizes[NUM_EDGES]
    sizes[NUM_FACES] = min(sizes[NUM_FACES], max_faces + 1)
    sizes[NUM_VERTICES] = min(sizes[NUM_VERTICES], max_faces)
    sizes[NUM_EDGES] = min(sizes[NUM_EDGES], 2 * max_faces)
    sizes[NUM_SIDES] = min(sizes[NUM_SIDES], num_places + 4 * max_faces)
    sizes[MOST_HALVES] = min(sizes[MOST_HALVES], sizes[MOST_PLACES] + 4 * steps)
    sizes[MOST_INNER] = min(sizes[MOST_INNER], steps)


@compiled
def _note_touching(
    face: int,
    faces: Faces,
    edges: Ints,
    signs: tuple[Words, Words],
    touching: Ints,
    sizes: NDArray[np.int64],
) -> None:
    starts, refs = faces
    above, below = signs
    for word in range(above.shape[1]):
        up, down = np.uint64(0), np.uint64(0)
        for k in range(starts[face], starts[face + 1]):
            vertex = edges[refs[k] >> 1, refs[k] & 1]
            up |= above[vertex, word]
            down |= below[vertex, word]
        for k in range(starts[face], starts[face + 1]):
            a, b = edges[refs[k] >> 1, 0], edges[refs[k] >> 1, 1]
            left = up & ~down
            left &= ~(above[a, word] | above[b, word])
            while left:
                if sizes[NUM_TOUCHING] < len(touching):
                    touching[sizes[NUM_TOUCHING], 0] = refs[k] >> 1
                    touching[sizes[NUM_TOUCHING], 1] = 64 * word + lowest_bit(left)
                sizes[NUM_TOUCHING] += 1
                left &= left - _ONE


@inlined
def find_chords(
    face: int,
    starts: Ints,
    refs: Ints,
    edges: Ints,
    children: Ints,
    firsts: Ints,
    neurons: Ints,
    vertices: Ints,
    above: Words,
    below: Words,
    masks: Words,
    boundary: Ints,
    chords: Ints,
    counts: Ints,
    ranks: Ints,
) -> tuple[int, int]:
    """Walk around a face; write its boundary, and where each neuron that folds it is 0 there.

    Source: none, ours.

    Args:
        face: its number; for what follows see `Before`.
        boundary: (places, 2), written.
        chords: (chords, columns): neuron, start and end are written.
        counts: (chords,), written: at how many places each is 0.
        ranks: (words,), room.

    Returns:
        How many places and how many chords there are.
    """
    num_chords = 0
    for word in range(masks.shape[1]):
        ranks[word] = num_chords
        left = masks[face, word]
        while left:
            chords[num_chords, NEURON] = 64 * word + lowest_bit(left)
            counts[num_chords] = 0
            left &= left - _ONE
            num_chords += 1
    place = 0
    for k in range(starts[face], starts[face + 1]):
        edge, is_back = refs[k] >> 1, refs[k] & 1
        vertex = edges[edge, is_back]
        boundary[place, VERTEX] = vertex
        step = 2 - 4 * is_back
        child = 2 * children[edge] if is_back == 0 else 2 * children[edge + 1] - 1
        boundary[place, EDGE] = child
        for word in range(masks.shape[1]):
            left = masks[face, word] & ~(above[vertex, word] | below[vertex, word])
            while left:
                rank = count_bits(masks[face, word] & ((left & (~left + _ONE)) - _ONE))
                _note_zero(ranks[word] + rank, place, chords, counts)
                left &= left - _ONE
        place += 1
        last = -1
        for q in range(firsts[edge + 1] - firsts[edge]):
            at = firsts[edge] + q if is_back == 0 else firsts[edge + 1] - 1 - q
            if vertices[at] != last:
                last = vertices[at]
                child += step
                boundary[place, VERTEX], boundary[place, EDGE] = last, child
                place += 1
            word = neurons[at] >> 6
            lower = (_ONE << np.uint64(neurons[at] & 63)) - _ONE
            rank = count_bits(masks[face, word] & lower)
            _note_zero(ranks[word] + rank, place - 1, chords, counts)
    return place, num_chords


@inlined
def _note_zero(chord: int, place: int, chords: Ints, counts: Ints) -> None:
    if counts[chord] < 2:
        chords[chord, counts[chord]] = place
    counts[chord] += 1


@inlined
def orient_chords(
    face: int,
    starts: Ints,
    refs: Ints,
    edges: Ints,
    firsts: Ints,
    neurons: Ints,
    vertices: Ints,
    above: Words,
    below: Words,
    boundary: Ints,
    num_places: int,
    num_chords: int,
    chords: Ints,
    counts: Ints,
    marks: NDArray[np.int8],
) -> int:
    """Write the sign between each chord's ends; drop what turns out to be no chord.

    A neuron that is 0 at more than two places (within what it may be off by) folds the face between
    the two runs of zeros at which its sign changes; if there are not two, the face is too thin to
    be folded.

    Source: none, ours.

    Args:
        face: its number; for what follows see `Before`.
        boundary: (places, 2).
        num_places: of the boundary.
        num_chords: that were found.
        chords: (chords, columns), changed.
        counts: (chords,), at how many places each is 0.
        marks: (places,), room.

    Returns:
        How many chords are left.
    """
    kept = 0
    for chord in range(num_chords):
        neuron, start, end = chords[chord, NEURON], chords[chord, START], chords[chord, END]
        if counts[chord] != 2:
            _mark_places(
                face, starts, refs, firsts, neurons, vertices, above, below, boundary, neuron, marks
            )
            start, end = _change_places(num_places, marks)
        if start < 0 or end - start == 1 or end - start == num_places - 1:
            continue
        sign = _sign_between(above, below, boundary, neuron, start + 1, end, num_places)
        if sign == 0:
            stop = start + num_places
            sign = -_sign_between(above, below, boundary, neuron, end + 1, stop, num_places)
        if sign == 0:
            continue
        chords[kept, NEURON], chords[kept, INSIDE] = neuron, sign
        chords[kept, START], chords[kept, END] = start, end
        kept += 1
    return kept


@inlined
def _sign_between(
    above: Words,
    below: Words,
    boundary: Ints,
    neuron: int,
    first: int,
    end: int,
    num_places: int,
) -> int:
    """Sign of a neuron at the first place of a stretch at which it is known, else 0."""
    word, bit = neuron >> 6, _ONE << np.uint64(neuron & 63)
    for k in range(first, end):
        vertex = boundary[k - num_places if k >= num_places else k, VERTEX]
        if vertex < len(above):
            if above[vertex, word] & bit:
                return 1
            if below[vertex, word] & bit:
                return -1
    return 0


@compiled
def _mark_places(
    face: int,
    starts: Ints,
    refs: Ints,
    firsts: Ints,
    neurons: Ints,
    vertices: Ints,
    above: Words,
    below: Words,
    boundary: Ints,
    neuron: int,
    marks: NDArray[np.int8],
) -> None:
    """Write a neuron's sign at each place; _UNKNOWN where other neurons cross the boundary."""
    word, bit = neuron >> 6, _ONE << np.uint64(neuron & 63)
    place = 0
    for k in range(starts[face], starts[face + 1]):
        edge, is_back = refs[k] >> 1, refs[k] & 1
        vertex = boundary[place, VERTEX]
        marks[place] = 0
        if above[vertex, word] & bit:
            marks[place] = 1
        elif below[vertex, word] & bit:
            marks[place] = -1
        place += 1
        last = -1
        for q in range(firsts[edge + 1] - firsts[edge]):
            at = firsts[edge] + q if is_back == 0 else firsts[edge + 1] - 1 - q
            if vertices[at] != last:
                last = vertices[at]
                marks[place] = _UNKNOWN
                place += 1
            if neurons[at] == neuron:
                marks[place - 1] = 0


@compiled
def _change_places(num_places: int, marks: NDArray[Any]) -> tuple[int, int]:
    """The two places where the sign changes; (-1, -1) if there are not two."""
    start = 0
    while start < num_places and abs(marks[start]) != 1:
        start += 1
    if start == num_places:
        return -1, -1
    first = second = zero = -1
    previous = marks[start]
    for q in range(1, num_places + 1):
        place = (start + q) % num_places
        mark = marks[place]
        if mark == 0 and zero < 0:
            zero = place
        if abs(mark) != 1:
            continue
        if mark != previous:
            if zero < 0 or second >= 0:
                return -1, -1
            first, second = zero, first
            previous = mark
        zero = -1
    return (-1, -1) if second < 0 else (min(first, second), max(first, second))
