"""One cut: all faces folded by all neurons of a layer. Importing this module imports Numba."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.cutting import cut_faces as sizes_of
from bitfold.polytopes.cutting.cut_chords import (
    IS_COPY,
    NEXT_COPY,
    lay_boundary,
    lay_chord,
)
from bitfold.polytopes.cutting.cut_edges import (
    Doubles,
    Ints,
    classify,
    cross_edges,
    split_edges,
)
from bitfold.polytopes.cutting.cut_emit import (
    BROKEN_OFF,
    EDGES,
    FACES,
    FURTHER,
    GIVEN_UP,
    SIDES,
    VERTICES,
    count_folds,
    cut_once,
    emit,
    keep_face,
)
from bitfold.polytopes.cutting.cut_faces import (
    END,
    START,
    Before,
    Faces,
    find_chords,
    limit_sizes,
    measure_faces,
    orient_chords,
)
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Numbers = tuple[Doubles, Doubles, Ints, Doubles]
"""Values (vertices, neurons) and what they may be off by (neurons,); of the new vertices on edges
the ends of their edges (new, 2) and how far along they are (new,)."""

Room = tuple[Ints, NDArray[np.int8], Ints, Doubles, Ints, Ints, Ints, Ints, Ints, Doubles]
"""See `_make_room`."""

Made = tuple[Ints, Doubles, Ints, Ints, Ints, Ints, Ints]
"""Written: of the new vertices within faces the ends of their chords (new, 2) and how far along
they are (new,); new edges (new, 2) and their neurons (new,); by face the first of its sides, sides
(see `cut_faces.Faces`); further owners of new edges (k, 2)."""


@compiled
def cut_faces(
    before: Before,
    numbers: Numbers,
    offsets: tuple[int, int],
    sizes: NDArray[np.int64],
    made: Made,
    progress: NDArray[np.int64],
    part: int,
    max_faces: int,
) -> NDArray[np.int64]:
    """Cut every face along its folds, unless there come to be too many.

    Source: none, ours: chords that are laid one after the other into a half-edge structure.

    Args:
        before: see `cut_faces.Before`.
        numbers: see `Numbers`.
        offsets: number of the first vertex within a face, and of the first edge within one.
        sizes: see `cut_faces.measure_faces`.
        made: see `Made`.
        progress: (parts,), by part of all faces how many there will be at least; that of this part
            is changed while others are by other threads.
        part: number of this one.
        max_faces: of all parts together.

    Returns:
        How many of each were made, (7,), see `cut_emit`.
    """
    counts = np.zeros(7, np.int64)
    room = _make_room(sizes, before[5].shape[1])
    _cut_all(before, numbers, offsets, (room, made), counts, progress, part, max_faces)
    return counts


@compiled
def _cut_all(
    before: Before,
    numbers: Numbers,
    offsets: tuple[int, int],
    into: tuple[Room, Made],
    counts: NDArray[np.int64],
    progress: NDArray[np.int64],
    part: int,
    max_faces: int,
) -> None:
    """`cut_faces` with room for its work. All arrays are kept by whoever calls: see `borrowed`."""
    (starts, refs), edges, children, (firsts, neurons, vertices), (above, below), masks = before
    starts, refs, edges = borrowed(starts), borrowed(refs), borrowed(edges)
    children, firsts, neurons = borrowed(children), borrowed(firsts), borrowed(neurons)
    vertices, above, below, masks = (
        borrowed(vertices), borrowed(above), borrowed(below), borrowed(masks),
    )  # fmt: skip
    values, bounds, ends, along = numbers
    values, bounds, ends, along = (
        borrowed(values), borrowed(bounds), borrowed(ends), borrowed(along),
    )  # fmt: skip
    (boundary, marks, chords, meetings, zeros, ranks, halves, leaving, inner, inner_at), made = into
    boundary, marks, chords = borrowed(boundary), borrowed(marks), borrowed(chords)
    meetings, zeros, ranks = borrowed(meetings), borrowed(zeros), borrowed(ranks)
    halves, leaving, inner, inner_at = (
        borrowed(halves), borrowed(leaving), borrowed(inner), borrowed(inner_at),
    )  # fmt: skip
    new_ends, new_along, new_edges, new_neurons, new_starts, sides, further = made
    new_ends, new_along, new_edges = borrowed(new_ends), borrowed(new_along), borrowed(new_edges)
    new_neurons, new_starts, sides = borrowed(new_neurons), borrowed(new_starts), borrowed(sides)
    further, counts, progress = borrowed(further), borrowed(counts), borrowed(progress)
    new_starts[0] = 0
    # Every face that is left will be at least one.
    progress[part] = len(starts) - 1
    for face in range(len(starts) - 1):
        num_folds, neuron = count_folds(face, masks)
        if num_folds == 0:
            keep_face(face, starts, refs, children, new_starts, sides, counts)
            continue
        if num_folds == 1 and cut_once(
            face, neuron, starts, refs, edges, children, firsts, vertices, above, below, boundary,
            offsets[1], new_edges, new_neurons, new_starts, sides, counts,
        ):  # fmt: skip
            if _are_too_many(progress, part, max_faces):
                counts[BROKEN_OFF] = 1
                return
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
        most = max_faces - (progress.sum() - 1)
        num_halves, num_inner = _lay_chords(
            num_places, num_chords, most, halves, leaving, chords, meetings, inner, inner_at,
            boundary, values, bounds, ends, along, counts,
        )  # fmt: skip
        if _num_pieces(num_places, num_halves, num_inner) > most:
            counts[BROKEN_OFF] = 1
            return
        emit(
            num_places, num_halves, num_inner, boundary, chords, halves, inner, inner_at,
            offsets[0], offsets[1], new_ends, new_along, new_edges, new_neurons, new_starts,
            sides, further, counts,
        )  # fmt: skip
        progress[part] = counts[FACES] + len(starts) - 2 - face


@inlined
def _are_too_many(progress: NDArray[np.int64], part: int, max_faces: int) -> bool:
    """Count one face more; other parts are looked at now and then."""
    progress[part] += 1
    is_time = progress[part] & 63 == 0
    return bool(progress[part] > max_faces or (is_time and progress.sum() > max_faces))


@inlined
def _lay_chords(
    num_places: int,
    num_chords: int,
    most: int,
    halves: Ints,
    leaving: Ints,
    chords: Ints,
    meetings: Doubles,
    inner: Ints,
    inner_at: Doubles,
    boundary: Ints,
    values: Doubles,
    bounds: Doubles,
    ends: Ints,
    along: Doubles,
    counts: NDArray[np.int64],
) -> tuple[int, int]:
    """Lay the chords of a face until it has more than so many pieces.

    Returns:
        How many half-edges and inner vertices there are.
    """
    lay_boundary(num_places, num_chords, boundary, chords, halves, leaving)
    num_halves, num_inner = num_places, 0
    for chord in range(num_chords):
        if _is_copy(chord, chords):
            continue
        if _num_pieces(num_places, num_halves, num_inner) > most:
            break
        num_halves, num_inner, is_laid = lay_chord(
            chord, num_places, num_halves, num_inner, halves, leaving, chords, meetings,
            inner, inner_at, boundary, values, bounds, ends, along,
        )  # fmt: skip
        counts[GIVEN_UP] += not is_laid
    return num_halves, num_inner


@inlined
def _num_pieces(num_places: int, num_halves: int, num_inner: int) -> int:
    """Into how many pieces a face is cut: V - E + F = 1."""
    return 1 + (num_halves - num_places) // 2 - num_inner


@compiled
def _make_room(sizes: NDArray[np.int64], num_words: int) -> Room:
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


@inlined
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


@compiled
def cut(
    values: Doubles,
    bounds: Doubles,
    edges: Ints,
    owners: Ints,
    faces: Faces,
    first_neuron: int,
    num_spare: int,
    max_faces: int,
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
        max_faces: beyond which the cut is broken off.

    Returns:
        Ends (new, 2) of what each new vertex lies on, and how far along (new,); edges,
        owners, faces; first child of each old edge (edges + 1,);
        further owners (k, 2), touching edges (k, 2, old numbers); how many of both there are, how
        many chords were given up, for how many there must be room for all to be there, and whether
        the cut was broken off.
    """
    num_words = (values.shape[1] + 63) // 64
    above = np.empty((len(values), num_words), np.uint64)
    below = np.empty((len(values), num_words), np.uint64)
    has_zeros = classify(values, bounds, above, below)
    signs = (above, below)
    firsts, neurons, places, vertices, children, num_vertices, crossed = cross_edges(
        edges, signs, values, bounds
    )
    num_new, num_edges = num_vertices - len(values), children[-1]
    ends, along = np.empty((num_new, 2), np.int32), np.empty(num_new)
    outer, outer_owners = np.empty((num_edges, 2), np.int32), np.empty(num_edges, np.int32)
    crossings = (firsts, places, vertices)
    split_edges(edges, owners, crossings, len(values), (ends, along, outer, outer_owners))
    masks = np.empty((len(faces[0]) - 1, num_words), np.uint64)
    touching, sizes = np.empty((num_spare, 2), np.int32), np.empty(9, np.int64)
    measure_faces(faces, edges, signs, (crossed, has_zeros), masks, touching, sizes)
    limit_sizes(sizes, max_faces)
    made = make_made(sizes, num_spare)
    before = (faces, edges, children, (firsts, neurons, vertices), signs, masks)
    numbers = (values, bounds, ends, along)
    offsets, progress = (num_vertices, num_edges), np.zeros(1, np.int64)
    counts = cut_faces(before, numbers, offsets, sizes, made, progress, 0, max_faces)
    num_faces, num_sides = counts[FACES], counts[SIDES]
    return (
        _behind(ends.reshape(-1), made[0].reshape(-1), 2 * counts[VERTICES], 0).reshape(-1, 2),
        _behind(along, made[1], counts[VERTICES], 0.0),
        _behind(outer.reshape(-1), made[2].reshape(-1), 2 * counts[EDGES], 0).reshape(-1, 2),
        _behind(outer_owners, made[3], counts[EDGES], np.int32(first_neuron)),
        (made[4][: num_faces + 1].copy(), made[5][:num_sides].copy()),
        children,
        made[6],
        touching,
        (
            counts[FURTHER],
            sizes[sizes_of.NUM_TOUCHING],
            counts[GIVEN_UP],
            max(counts[FURTHER], sizes[sizes_of.NUM_TOUCHING]),
            counts[BROKEN_OFF],
        ),
    )


@compiled
def _behind(first: Any, second: Any, count: int, shift: Any) -> Any:
    """The first numbers, and behind them some of the second, shifted: Numba's own is far slower."""
    whole, known = np.empty(len(first) + count, first.dtype), len(first)
    into, first, second = borrowed(whole), borrowed(first), borrowed(second)
    for k in range(known):
        into[k] = first[k]
    for k in range(count):
        into[known + k] = second[k] + shift
    return whole


@compiled
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
        np.empty((num_spare, 2), np.int32),
    )
