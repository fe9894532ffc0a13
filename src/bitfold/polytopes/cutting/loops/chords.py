"""Compiled loops that find the chords of a face: between which places each neuron folds it.

Importing this module imports Numba.
"""

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.cutting.loops.arrays import (
    END,
    INSIDE,
    NEURON,
    SIDE,
    START,
    VERTEX,
    Ints,
    Uncut,
    Words,
    Work,
)
from bitfold.polytopes.cutting.loops.bits import ONE, bit_of, count_bits, lowest_bit
from bitfold.runtime.inlining import embedded, inlined

Marks = NDArray[np.int8]

_UNKNOWN = 2


@inlined
def find_chords(face: int, before: Uncut, work: Work) -> tuple[int, int]:
    """Write the boundary of a face, and the places at which each neuron that folds it is 0.

    Args:
        face: its number.
        before: the faces.
        work: boundary, zeros and ranks are written; neuron, start and end of the chords too.

    Returns:
        The numbers of places and of chords.
    """
    num_chords, boundary = _list_chords(face, before.masks, work), work.boundary
    place = 0
    for k in range(before.starts[face], before.starts[face + 1]):
        edge, is_back = before.sides[k] >> 1, before.sides[k] & 1
        vertex = before.edges[edge, is_back]
        boundary[place, VERTEX] = vertex
        step = 2 - 4 * is_back
        first, stop = before.children[edge], before.children[edge + 1]
        child = 2 * first if is_back == 0 else 2 * stop - 1
        boundary[place, SIDE] = child
        _note_zeros_at_corner(face, vertex, place, before, work)
        place += 1
        last = -1
        for q in range(before.firsts[edge + 1] - before.firsts[edge]):
            at = before.firsts[edge] + q if is_back == 0 else before.firsts[edge + 1] - 1 - q
            if before.vertices[at] != last:
                last = before.vertices[at]
                child += step
                boundary[place, VERTEX], boundary[place, SIDE] = last, child
                place += 1
            neuron = before.neurons[at]
            rank = count_bits(before.masks[face, neuron >> 6] & (bit_of(neuron) - ONE))
            _note_zero(work.ranks[neuron >> 6] + rank, place - 1, work)
    return place, num_chords


@inlined
def _list_chords(face: int, masks: Words, work: Work) -> int:
    """Write the neuron of each chord, and count the chords."""
    num_chords = 0
    for word in range(masks.shape[1]):
        work.ranks[word] = num_chords
        left = masks[face, word]
        while left:
            work.chords[num_chords, NEURON] = 64 * word + lowest_bit(left)
            work.zeros[num_chords] = 0
            left &= left - ONE
            num_chords += 1
    return num_chords


@inlined
def _note_zeros_at_corner(face: int, vertex: int, place: int, before: Uncut, work: Work) -> None:
    """Note the place of a corner for each neuron that folds the face and is 0 there."""
    for word in range(before.masks.shape[1]):
        mask = before.masks[face, word]
        left = mask & ~(before.above[vertex, word] | before.below[vertex, word])
        while left:
            rank = count_bits(mask & ((left & (~left + ONE)) - ONE))
            _note_zero(work.ranks[word] + rank, place, work)
            left &= left - ONE


@inlined
def _note_zero(chord: int, place: int, work: Work) -> None:
    if work.zeros[chord] < 2:
        work.chords[chord, work.zeros[chord]] = place
    work.zeros[chord] += 1


@inlined
def orient_chords(face: int, num_places: int, num_chords: int, before: Uncut, work: Work) -> int:
    """Write the sign of each chord's neuron between its ends; drop what is no chord.

    A neuron can be 0 at more than two places, within its error. Then it folds the face between the
    two runs of zeros at which its sign changes. If there are not two such runs, the face is too
    thin to be folded.

    Args:
        face: its number.
        num_places: of the boundary.
        num_chords: that were found.
        before: the faces.
        work: boundary, chords and zeros of `find_chords`; the chords are changed.

    Returns:
        The number of chords that are left.
    """
    kept, chords = 0, work.chords
    for chord in range(num_chords):
        neuron, start, end = chords[chord, NEURON], chords[chord, START], chords[chord, END]
        if work.zeros[chord] != 2:
            _mark_places(face, neuron, before, work)
            start, end = _change_places(num_places, work.marks)
        if start < 0 or end - start == 1 or end - start == num_places - 1:
            continue
        sign = _sign_between(start + 1, end, neuron, num_places, before, work.boundary)
        if sign == 0:
            stop = start + num_places
            sign = -_sign_between(end + 1, stop, neuron, num_places, before, work.boundary)
        if sign == 0:
            continue
        chords[kept, NEURON], chords[kept, INSIDE] = neuron, sign
        chords[kept, START], chords[kept, END] = start, end
        kept += 1
    return kept


@inlined
def _sign_between(
    first: int, end: int, neuron: int, num_places: int, before: Uncut, boundary: Ints
) -> int:
    """Return a neuron's sign at the first place of a stretch at which it is known, else 0."""
    word, bit = neuron >> 6, bit_of(neuron)
    for k in range(first, end):
        vertex = boundary[k - num_places if k >= num_places else k, VERTEX]
        if vertex < len(before.above):
            if before.above[vertex, word] & bit:
                return 1
            if before.below[vertex, word] & bit:
                return -1
    return 0


@embedded
def _mark_places(face: int, neuron: int, before: Uncut, work: Work) -> None:
    """Write a neuron's sign at each place; _UNKNOWN where only other neurons cross the boundary."""
    word, bit, marks = neuron >> 6, bit_of(neuron), work.marks
    place = 0
    for k in range(before.starts[face], before.starts[face + 1]):
        edge, is_back = before.sides[k] >> 1, before.sides[k] & 1
        vertex = work.boundary[place, VERTEX]
        marks[place] = 0
        if before.above[vertex, word] & bit:
            marks[place] = 1
        elif before.below[vertex, word] & bit:
            marks[place] = -1
        place += 1
        last = -1
        for q in range(before.firsts[edge + 1] - before.firsts[edge]):
            at = before.firsts[edge] + q if is_back == 0 else before.firsts[edge + 1] - 1 - q
            if before.vertices[at] != last:
                last = before.vertices[at]
                marks[place] = _UNKNOWN
                place += 1
            if before.neurons[at] == neuron:
                marks[place - 1] = 0


@embedded
def _change_places(num_places: int, marks: Marks) -> tuple[int, int]:
    """Return the two places at which the sign changes; (-1, -1) if there are not two."""
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
