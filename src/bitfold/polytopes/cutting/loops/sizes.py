"""Compiled loops that find the neurons which fold each face, and the memory that a cut will take.

Importing this module imports Numba.
"""

import numpy as np

from bitfold.polytopes.cutting.loops.arrays import Faces, Ints, Longs, Signs, Words
from bitfold.polytopes.cutting.loops.bits import ONE, count_bits, lowest_bit
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.inlining import embedded, inlined

#: Upper bounds of what a cut makes: faces, vertices within faces, edges within faces, and sides; of
#: the largest face's places, chords, half-edges and vertices within it. Last, the number of edges
#: along which a neuron is 0.
NUM_FACES, NUM_VERTICES, NUM_EDGES, NUM_SIDES = 0, 1, 2, 3
MOST_PLACES, MOST_CHORDS, MOST_HALVES, MOST_INNER, NUM_TOUCHING = 4, 5, 6, 7, 8
NUM_SIZES = 9


@embedded
def measure_faces(
    faces: Faces,
    edges: Ints,
    signs: Signs,
    crossed: tuple[Words, bool],
    masks: Words,
    touching: Ints,
    sizes: Longs,
) -> None:
    """Find the neurons that fold each face, and upper bounds of what the cut makes.

    Args:
        faces: see `Faces`.
        edges: (edges, 2).
        signs: see `Signs`.
        crossed: the neurons that cross each edge (edges, words), and whether some vertices lie on
            folds. If none does, every neuron that folds a face crosses its edges.
        masks: (faces, words), written.
        touching: (k, 2), written as far as there is room: edges along which a neuron is 0, and the
            neuron, once for each adjacent face in which the neuron is positive.
        sizes: (9,), written: see `NUM_FACES` and what follows it.
    """
    starts, sides = borrowed(faces)
    sizes[:] = 0
    # Most faces are not folded at all: their sums stay in registers.
    unfolded_sides, most_sides, unfolded = 0, 0, 0
    for face in range(len(starts) - 1):
        some = sides[starts[face] : starts[face + 1]]
        if crossed[1]:
            num_chords, has_zeros = _mask_by_vertices(face, some, edges, signs, masks)
            if has_zeros:
                _note_touching(some, edges, signs, touching, sizes)
        else:
            num_chords = _mask_by_edges(face, some, crossed[0], masks)
        if num_chords > 0:
            _add_sizes(len(some), num_chords, sizes)
            continue
        unfolded += 1
        unfolded_sides += len(some)
        most_sides = max(most_sides, len(some))
    sizes[NUM_FACES] += unfolded
    sizes[NUM_SIDES] += unfolded_sides
    sizes[MOST_PLACES] = max(sizes[MOST_PLACES], most_sides)
    sizes[MOST_HALVES] = max(sizes[MOST_HALVES], most_sides)


@inlined
def _mask_by_edges(face: int, sides: Ints, crossed: Words, masks: Words) -> int:
    """Write the neurons that cross a face's edges, and count them."""
    crossed, masks, sides, count = borrowed(crossed), borrowed(masks), borrowed(sides), 0
    for word in range(masks.shape[1]):
        folding = np.uint64(0)
        for k in range(len(sides)):
            folding |= crossed[sides[k] >> 1, word]
        masks[face, word] = folding
        count += count_bits(folding)
    return count


@inlined
def _mask_by_vertices(
    face: int, sides: Ints, edges: Ints, signs: Signs, masks: Words
) -> tuple[int, bool]:
    """Write the neurons that have both signs at a face's vertices, and count them.

    Returns:
        Their number, and whether another neuron is 0 at a vertex and positive at others.
    """
    above, below = borrowed(signs)
    masks, sides, edges = borrowed(masks), borrowed(sides), borrowed(edges)
    count, has_zeros = 0, False
    for word in range(masks.shape[1]):
        up, down, both = np.uint64(0), np.uint64(0), ~np.uint64(0)
        for k in range(len(sides)):
            vertex = edges[sides[k] >> 1, sides[k] & 1]
            up |= above[vertex, word]
            down |= below[vertex, word]
            both &= above[vertex, word] | below[vertex, word]
        masks[face, word] = up & down
        count += count_bits(up & down)
        has_zeros |= (up & ~down & ~both) != 0
    return count, has_zeros


@embedded
def _note_touching(sides: Ints, edges: Ints, signs: Signs, touching: Ints, sizes: Longs) -> None:
    above, below = signs
    for word in range(above.shape[1]):
        up, down = np.uint64(0), np.uint64(0)
        for k in range(len(sides)):
            vertex = edges[sides[k] >> 1, sides[k] & 1]
            up |= above[vertex, word]
            down |= below[vertex, word]
        for k in range(len(sides)):
            a, b = edges[sides[k] >> 1, 0], edges[sides[k] >> 1, 1]
            left = up & ~down
            left &= ~(above[a, word] | above[b, word])
            while left:
                if sizes[NUM_TOUCHING] < len(touching):
                    touching[sizes[NUM_TOUCHING], 0] = sides[k] >> 1
                    touching[sizes[NUM_TOUCHING], 1] = 64 * word + lowest_bit(left)
                sizes[NUM_TOUCHING] += 1
                left &= left - ONE


@embedded
def _add_sizes(num_sides: int, num_chords: int, sizes: Longs) -> None:
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


@embedded
def limit_sizes(sizes: Longs, max_faces: int) -> None:
    """Lower the bounds of `measure_faces` to what a cut can make before it is stopped.

    The upper bound of the number of faces is no reason to refuse a cut: many folds through one
    point make far fewer. But each step of a chord makes one face, at most one vertex and two edges.
    So the largest number of faces bounds all other numbers.

    Args:
        sizes: of `measure_faces`, changed.
        max_faces: beyond which `faces.cut_faces` stops.
    """
    # Faces are counted after a whole chord; `chord_laying` limits the steps of one chord.
    steps = max_faces + 4 * (sizes[MOST_CHORDS] + 4)
    num_places = sizes[NUM_SIDES] - 2 * sizes[NUM_EDGES]
    sizes[NUM_FACES] = min(sizes[NUM_FACES], max_faces + 1)
    sizes[NUM_VERTICES] = min(sizes[NUM_VERTICES], max_faces)
    sizes[NUM_EDGES] = min(sizes[NUM_EDGES], 2 * max_faces)
    sizes[NUM_SIDES] = min(sizes[NUM_SIDES], num_places + 4 * max_faces)
    sizes[MOST_HALVES] = min(sizes[MOST_HALVES], sizes[MOST_PLACES] + 4 * steps)
    sizes[MOST_INNER] = min(sizes[MOST_INNER], steps)
