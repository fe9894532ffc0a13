"""Compiled loops over a partition's faces: patterns, places of points, distances to segments.

Importing this module imports Numba.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Words = NDArray[np.uint64]


@njit(cache=True, nogil=True)
def spread_pattern(
    patterns: Words,
    start: int,
    faces: tuple[Ints, Ints],
    neighbours: Ints,
    owners: tuple[Ints, Ints],
) -> int:
    """Carry a face's activation pattern to all others: across an edge just its owners change.

    Source: none, ours.

    Args:
        patterns: uint64 (F, words); that of the face ``start`` is given, all others are written.
        start: a face.
        faces: offsets of the faces (F + 1,), and their edges.
        neighbours: (E, 2), the faces beside each edge, -1 for none.
        owners: offsets of the edges (E + 1,), and their owners.

    Returns:
        How many faces were reached.
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


@njit(cache=True, nogil=True)
def list_by_cell(low: Ints, high: Ints, num_cells: int) -> tuple[NDArray[np.int64], Ints]:
    """List the faces that may reach into each cell of a grid.

    Args:
        low: (F, 2), column and row of the first cell of a face's bounding box.
        high: (F, 2), of the last.
        num_cells: along a side of the grid.

    Returns:
        By cell, row by row, the first of its faces (cells + 1,); faces, ascending within a cell.
    """
    starts = np.zeros(num_cells * num_cells + 1, np.int64)
    for face in range(len(low)):
        for row in range(low[face, 1], high[face, 1] + 1):
            for column in range(low[face, 0], high[face, 0] + 1):
                starts[row * num_cells + column + 1] += 1
    starts = np.cumsum(starts)
    faces, place = np.empty(starts[-1], np.int32), starts[:-1].copy()
    for face in range(len(low)):
        for row in range(low[face, 1], high[face, 1] + 1):
            for column in range(low[face, 0], high[face, 0] + 1):
                cell = row * num_cells + column
                faces[place[cell]] = face
                place[cell] += 1
    return starts, faces


@njit(cache=True, nogil=True)
def distances_within_faces(
    points: Doubles,
    cells: NDArray[np.int64],
    listed: tuple[NDArray[np.int64], Ints],
    faces: tuple[Ints, Doubles, NDArray[np.bool_]],
    slack: float,
) -> Doubles:
    """Measure how far each point lies from the nearest fold around its own face.

    Args:
        points: (N, 2).
        cells: (N,), the cell of each.
        listed: what `list_by_cell` gave.
        faces: offsets of the faces (F + 1,), where their corners lie, counter-clockwise, and
            whether the side from there on is a fold.
        slack: how far a point may lie outside all faces, for rounding.

    Returns:
        (N,): not a number for a point outside, infinite in a face without a fold.
    """
    found = np.full(len(points), np.nan)
    starts, numbers = listed
    offsets, at, is_fold = faces
    for number in range(len(points)):
        x, y = points[number]
        own, deepest = -1, -slack
        near = range(starts[cells[number]], starts[cells[number] + 1])
        for place in near:
            face = numbers[place]
            if _holds(x, y, at[offsets[face] : offsets[face + 1]]):
                own = face
                break
        if own < 0:  # between faces, or outside the domain, by rounding or more
            for place in near:
                face = numbers[place]
                depth = _depth(x, y, at[offsets[face] : offsets[face + 1]])
                if depth > deepest:
                    own, deepest = face, depth
        if own >= 0:
            sides = slice(offsets[own], offsets[own + 1])
            found[number] = _to_folds(x, y, at[sides], is_fold[sides])
    return found


@njit(cache=True, nogil=True)
def _holds(x: float, y: float, at: Doubles) -> bool:
    """Whether a point lies within a face or on its border."""
    ax, ay = at[len(at) - 1]
    for corner in range(len(at)):
        bx, by = at[corner]
        if (bx - ax) * (y - ay) < (by - ay) * (x - ax):
            return False
        ax, ay = bx, by
    return True


@njit(cache=True, nogil=True)
def _depth(x: float, y: float, at: Doubles) -> float:
    """How far a point lies within a face; below 0 outside."""
    depth: float = math.inf
    ax, ay = at[len(at) - 1]
    for corner in range(len(at)):
        bx, by = at[corner]
        dx, dy = bx - ax, by - ay
        length = math.sqrt(dx * dx + dy * dy)
        if length > 0.0:
            depth = min(depth, (dx * (y - ay) - dy * (x - ax)) / length)
        ax, ay = bx, by
    return depth


@njit(cache=True, nogil=True)
def _to_folds(x: float, y: float, at: Doubles, is_fold: NDArray[np.bool_]) -> float:
    """How far a point lies from the nearest of a face's sides that are folds."""
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


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nnan"})
def distances_to_segments(points: Doubles, segments: Doubles) -> Doubles:
    """Measure how far each point lies from the nearest of some segments.

    Source: none, ours: every segment is tried, several at a time in vector registers.

    Args:
        points: (N, 2).
        segments: (4, M), x and y of where each begins, and x and y of where it goes from there; M
            at least 1.

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
