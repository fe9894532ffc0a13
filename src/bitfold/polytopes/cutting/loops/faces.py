"""Compiled loops that cut faces along all their folds. Importing this module imports Numba."""

import numpy as np

from bitfold.polytopes.cutting.loops import sizes as size_of
from bitfold.polytopes.cutting.loops.arrays import (
    BROKEN_OFF,
    FACES,
    GIVEN_UP,
    NUM_CHORD_COLUMNS,
    NUM_COUNTS,
    NUM_HALF_COLUMNS,
    Longs,
    Made,
    Uncut,
    Values,
    Work,
)
from bitfold.polytopes.cutting.loops.chord_laying import lay_chords, num_pieces
from bitfold.polytopes.cutting.loops.chords import find_chords, orient_chords
from bitfold.polytopes.cutting.loops.pieces import count_folds, cut_once, keep_face, write_pieces
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.inlining import embedded, inlined


@embedded
def cut_faces(
    before: Uncut,
    values: Values,
    offsets: tuple[int, int],
    work: Work,
    made: Made,
    progress: Longs,
    thread: int,
    max_faces: int,
) -> None:
    """Cut every face along its folds, until there are too many faces.

    Chords are laid one after the other into a structure of half-edges. The caller keeps all arrays:
    see `borrowed`.

    Args:
        before: the faces.
        values: the neurons' values, and the new vertices on edges.
        offsets: the number of the first vertex within a face, and of the first edge within one.
        work: see `make_work`.
        made: see `make_made`; written.
        progress: (threads,), a lower bound of each thread's number of faces. This thread changes
            its own number while other threads change theirs.
        thread: the number of this thread.
        max_faces: of all threads together.
    """
    before, values, work, made = borrowed(before), borrowed(values), borrowed(work), borrowed(made)
    progress, num_faces = borrowed(progress), len(before.starts) - 1
    made.starts[0] = 0
    # Each face that is left will be at least one face.
    progress[thread] = num_faces
    for face in range(num_faces):
        num_folds, neuron = count_folds(face, before.masks)
        if num_folds == 0:
            keep_face(face, before, made)
            continue
        if num_folds == 1 and cut_once(face, neuron, before, work, offsets[1], made):
            if _are_too_many(progress, thread, max_faces):
                made.counts[BROKEN_OFF] = 1
                return
            continue
        most = max_faces - (progress.sum() - 1)
        if not _cut_often(face, before, values, offsets, work, made, most):
            made.counts[BROKEN_OFF] = 1
            return
        progress[thread] = made.counts[FACES] + num_faces - 1 - face


@inlined
def _cut_often(
    face: int,
    before: Uncut,
    values: Values,
    offsets: tuple[int, int],
    work: Work,
    made: Made,
    most: int,
) -> bool:
    """Cut a face along many folds; return False if there are more than ``most`` pieces."""
    num_places, found = find_chords(face, before, work)
    num_chords = orient_chords(face, num_places, found, before, work)
    made.counts[GIVEN_UP] += found - num_chords
    num_halves, num_inner = lay_chords(num_places, num_chords, most, work, values, made.counts)
    if num_pieces(num_places, num_halves, num_inner) > most:
        return False
    write_pieces(num_places, num_halves, num_inner, work, offsets, made)
    return True


@inlined
def _are_too_many(progress: Longs, thread: int, max_faces: int) -> bool:
    """Count one face more; look at the other threads' numbers once in 64 faces."""
    progress[thread] += 1
    is_time = progress[thread] & 63 == 0
    return bool(progress[thread] > max_faces or (is_time and progress.sum() > max_faces))


@embedded
def make_work(sizes: Longs, num_words: int) -> Work:
    """Allocate working memory for one face at a time; see `sizes.measure_faces`."""
    places, chords = sizes[size_of.MOST_PLACES], sizes[size_of.MOST_CHORDS]
    halves, inner = sizes[size_of.MOST_HALVES], sizes[size_of.MOST_INNER]
    return Work(
        np.empty((places, 2), np.int32),
        np.empty(places, np.int8),
        np.empty((chords, NUM_CHORD_COLUMNS), np.int32),
        np.empty((chords, 2), np.float64),
        np.empty(chords, np.int32),
        np.empty(num_words, np.int32),
        np.empty((halves, NUM_HALF_COLUMNS), np.int32),
        np.empty(places + inner, np.int32),
        np.empty(inner, np.int32),
        np.empty((inner, 2), np.float64),
    )


@embedded
def make_made(sizes: Longs, num_spare: int) -> Made:
    """Allocate memory for what a cut makes; see `sizes.measure_faces`."""
    num_faces, num_vertices = sizes[size_of.NUM_FACES], sizes[size_of.NUM_VERTICES]
    num_edges = sizes[size_of.NUM_EDGES]
    return Made(
        np.empty((num_vertices, 2), np.int32),
        np.empty(num_vertices, np.float64),
        np.empty((num_edges, 2), np.int32),
        np.empty(num_edges, np.int32),
        np.empty(num_faces + 1, np.int32),
        np.empty(sizes[size_of.NUM_SIDES], np.int32),
        np.empty((num_spare, 2), np.int32),
        np.zeros(NUM_COUNTS, np.int64),
    )
