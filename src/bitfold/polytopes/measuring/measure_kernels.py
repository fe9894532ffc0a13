"""Compiled loops over a partition's faces: patterns, distances to folds and to other segments.

Importing this module imports Numba.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Words = NDArray[np.uint64]


@compiled
def spread_pattern(
    patterns: Words,
    start: int,
    faces: tuple[Ints, Ints],
    neighbours: Ints,
    owners: tuple[Ints, Ints],
) -> int:
    """Derive all activation patterns from one: exactly the owners of an edge change across it.

    Args:
        patterns: uint64 (F, words); the row of the face ``start`` is read, all others are written.
        start: a face.
        faces: offsets of the faces (F + 1,), and the edges around them.
        neighbours: (E, 2), the faces beside each edge, -1 for none.
        owners: offsets of the edges (E + 1,), and their owners.

    Returns:
        The number of faces that were reached.
    """
    offsets, edges = faces
    owner_offsets, neurons = owners
    num_words = patterns.shape[1]
    is_known = np.zeros(len(offsets) - 1, np.bool_)
    waiting = np.empty(len(offsets) - 1, np.int32)
    waiting[0], is_known[start], num_known, done = start, True, 1, 0
    while done < num_known:
        face = waiting[done]
        done += 1
        for side in range(offsets[face], offsets[face + 1]):
            edge = edges[side]
            other = neighbours[edge, 0] + neighbours[edge, 1] - face
            if other < 0 or is_known[other]:
                continue
            for word in range(num_words):
                patterns[other, word] = patterns[face, word]
            for place in range(owner_offsets[edge], owner_offsets[edge + 1]):
                neuron = neurons[place]
                patterns[other, neuron >> 6] ^= np.uint64(1) << np.uint64(neuron & 63)
            is_known[other] = True
            waiting[num_known] = other
            num_known += 1
    return num_known


@compiled
def distances_within_faces(
    points: Doubles,
    numbers: NDArray[np.int64],
    faces: tuple[Ints, Doubles, NDArray[np.bool_]],
) -> Doubles:
    """Measure the distance from each point to the nearest fold around its own face.

    Args:
        points: (N, 2).
        numbers: (N,), the face of each point.
        faces: offsets of the faces (F + 1,); the corners of all faces, counter-clockwise; and for
            each corner whether the side to the next corner is a fold.

    Returns:
        (N,), infinite in a face without a fold.
    """
    found = np.empty(len(points))
    offsets, at, is_fold = faces
    for number in range(len(points)):
        x, y = points[number]
        sides = slice(offsets[numbers[number]], offsets[numbers[number] + 1])
        found[number] = _to_folds(x, y, at[sides], is_fold[sides])
    return found


@compiled
def _to_folds(x: float, y: float, at: Doubles, is_fold: NDArray[np.bool_]) -> float:
    """The distance from a point to the nearest side of a face that is a fold."""
    least = math.inf
    for corner in range(len(at)):
        if not is_fold[corner]:
            continue
        after = corner + 1 if corner + 1 < len(at) else 0
        along_x, along_y = at[after, 0] - at[corner, 0], at[after, 1] - at[corner, 1]
        dx, dy = x - at[corner, 0], y - at[corner, 1]
        square = along_x * along_x + along_y * along_y
        share = (dx * along_x + dy * along_y) / square if square > 0.0 else 0.0
        share = min(max(share, 0.0), 1.0)
        dx, dy = dx - share * along_x, dy - share * along_y
        least = min(least, dx * dx + dy * dy)
    return math.sqrt(least)


@compiled(error_model="numpy", fastmath={"contract", "reassoc", "nnan"})
def distances_to_segments(points: Doubles, segments: Doubles) -> Doubles:
    """Measure the distance from each point to the nearest segment.

    Every segment is tried, several at a time in vector registers.

    Args:
        points: (N, 2).
        segments: (4, M), M at least 1: x and y of each start, and x and y of the way to the end.

    Returns:
        (N,).
    """
    found = np.empty(len(points))
    from_x, from_y, along_x, along_y = segments[0], segments[1], segments[2], segments[3]
    over = np.empty(len(from_x))
    for one in range(len(over)):
        square = along_x[one] ** 2 + along_y[one] ** 2
        over[one] = 1.0 / square if square > 0.0 else 0.0
    for number in range(len(points)):
        x, y = points[number]
        least = np.inf
        for one in range(len(over)):
            dx, dy = x - from_x[one], y - from_y[one]
            share = (dx * along_x[one] + dy * along_y[one]) * over[one]
            share = min(max(share, 0.0), 1.0)
            dx, dy = dx - share * along_x[one], dy - share * along_y[one]
            least = min(least, dx * dx + dy * dy)
        found[number] = math.sqrt(least)
    return found
