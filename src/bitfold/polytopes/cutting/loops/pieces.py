"""Compiled loops that write the pieces of a face. Importing this module imports Numba."""

from bitfold.polytopes.cutting.loops.arrays import (
    CHORD,
    EDGES,
    END,
    FACES,
    FURTHER,
    HALF_SIDE,
    NEURON,
    NEXT,
    NEXT_COPY,
    ORIGIN,
    SIDE,
    SIDES,
    START,
    TWIN,
    VERTEX,
    VERTICES,
    Made,
    Uncut,
    Words,
    Work,
)
from bitfold.polytopes.cutting.loops.bits import bit_of, count_bits, lowest_bit
from bitfold.runtime.inlining import inlined


@inlined
def count_folds(face: int, masks: Words) -> tuple[int, int]:
    """Count the neurons that fold a face, and return one of them."""
    count, neuron = 0, -1
    for word in range(masks.shape[1]):
        if masks[face, word]:
            count += count_bits(masks[face, word])
            neuron = 64 * word + lowest_bit(masks[face, word])
    return count, neuron


@inlined
def keep_face(face: int, before: Uncut, made: Made) -> None:
    """Write a face that no neuron folds."""
    counts = made.counts
    for k in range(before.starts[face], before.starts[face + 1]):
        side = before.sides[k]
        made.sides[counts[SIDES]] = 2 * before.children[side >> 1] + (side & 1)
        counts[SIDES] += 1
    _end_face(made)


@inlined
def _end_face(made: Made) -> None:
    """Count a face whose sides are written."""
    made.counts[FACES] += 1
    made.starts[made.counts[FACES]] = made.counts[SIDES]


@inlined
def cut_once(
    face: int, neuron: int, before: Uncut, work: Work, first_edge: int, made: Made
) -> bool:
    """Cut a face that one neuron folds, without half-edges.

    Returns:
        Whether it is cut: if the neuron is not 0 at exactly two places that are apart, it is not.
    """
    num_places, start, end = _find_two_zeros(face, neuron, before, work)
    if end < 0 or not 1 < end - start < num_places - 1:
        return False
    boundary, counts = work.boundary, made.counts
    number = counts[EDGES]
    made.edges[number, 0] = boundary[start, VERTEX]
    made.edges[number, 1] = boundary[end, VERTEX]
    made.neurons[number] = neuron
    counts[EDGES] += 1
    at = counts[SIDES]
    for k in range(start, end):
        made.sides[at] = boundary[k, SIDE]
        at += 1
    made.sides[at] = 2 * (first_edge + number) + 1
    counts[SIDES] = at + 1
    _end_face(made)
    at += 1
    for k in range(end, num_places + start):
        made.sides[at] = boundary[k if k < num_places else k - num_places, SIDE]
        at += 1
    made.sides[at] = 2 * (first_edge + number)
    counts[SIDES] = at + 1
    _end_face(made)
    return True


@inlined
def _find_two_zeros(face: int, neuron: int, before: Uncut, work: Work) -> tuple[int, int, int]:
    """Write the boundary of a face that one neuron folds.

    Returns:
        The number of places; the two places at which the neuron is 0, -1 if there are not two.
    """
    word, bit, boundary = neuron >> 6, bit_of(neuron), work.boundary
    place = num_zeros = start = end = 0
    for k in range(before.starts[face], before.starts[face + 1]):
        edge, is_back = before.sides[k] >> 1, before.sides[k] & 1
        vertex = before.edges[edge, is_back]
        boundary[place, VERTEX] = vertex
        first, stop = before.children[edge], before.children[edge + 1]
        boundary[place, SIDE] = 2 * first if is_back == 0 else 2 * stop - 1
        if not ((before.above[vertex, word] | before.below[vertex, word]) & bit):
            start, end = end, place
            num_zeros += 1
        place += 1
        if before.firsts[edge] < before.firsts[edge + 1]:
            boundary[place, VERTEX] = before.vertices[before.firsts[edge]]
            boundary[place, SIDE] = boundary[place - 1, SIDE] + 2 - 4 * is_back
            start, end = end, place
            num_zeros += 1
            place += 1
    if num_zeros != 2:
        return place, -1, -1
    return place, start, end


@inlined
def write_pieces(
    num_places: int,
    num_halves: int,
    num_inner: int,
    work: Work,
    offsets: tuple[int, int],
    made: Made,
) -> None:
    """Write the vertices, edges and faces into which chords cut a face.

    Args:
        num_places: of the boundary.
        num_halves: half-edges.
        num_inner: vertices within the face.
        work: the half-edges.
        offsets: the number of the first vertex within a face, and of the first edge within one.
        made: written.
    """
    halves, counts = work.halves, made.counts
    first = counts[VERTICES]
    for k in range(num_inner):
        made.ends[first + k, 0] = work.boundary[work.chords[work.inner[k], START], VERTEX]
        made.ends[first + k, 1] = work.boundary[work.chords[work.inner[k], END], VERTEX]
        made.along[first + k] = work.inner_at[k, 0]
    shift = offsets[0] + first - num_places
    for start in range(num_halves):
        if halves[start, NEXT] < 0:
            continue
        half = start
        while halves[half, NEXT] >= 0:
            if halves[half, HALF_SIDE] < 0:
                _write_edge(half, num_places, shift, offsets[1], work, made)
            made.sides[counts[SIDES]] = halves[half, HALF_SIDE]
            counts[SIDES] += 1
            after = halves[half, NEXT]
            halves[half, NEXT] = -1
            half = after
        _end_face(made)
    counts[VERTICES] += num_inner


@inlined
def _write_edge(
    half: int, num_places: int, shift: int, first_edge: int, work: Work, made: Made
) -> None:
    """Write the edge of a half-edge within the face, and number both sides of it."""
    halves, boundary = work.halves, work.boundary
    number, twin = made.counts[EDGES], halves[half, TWIN]
    a, b = halves[half, ORIGIN], halves[twin, ORIGIN]
    made.edges[number, 0] = boundary[a, VERTEX] if a < num_places else shift + a
    made.edges[number, 1] = boundary[b, VERTEX] if b < num_places else shift + b
    made.neurons[number] = work.chords[halves[half, CHORD], NEURON]
    halves[half, HALF_SIDE] = 2 * (first_edge + number)
    halves[twin, HALF_SIDE] = 2 * (first_edge + number) + 1
    made.counts[EDGES] += 1
    _write_further_owners(halves[half, CHORD], first_edge + number, work, made)


@inlined
def _write_further_owners(chord: int, edge: int, work: Work, made: Made) -> None:
    """Write the neurons whose chords are the same segment as the chord of an edge."""
    counts = made.counts
    other = work.chords[chord, NEXT_COPY]
    while other >= 0:
        if counts[FURTHER] < len(made.further):
            made.further[counts[FURTHER], 0] = edge
            made.further[counts[FURTHER], 1] = work.chords[other, NEURON]
        counts[FURTHER] += 1
        other = work.chords[other, NEXT_COPY]
