"""Level sets and decision boundaries of functions that are affine on each face, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.subdivision.subdivision import Subdivision

Doubles = NDArray[np.float64]
Longs = NDArray[np.int64]

# Outputs this near to the largest one, relative to the largest size of any, count as equal to it.
_TIE = 1e-12


@dataclass(frozen=True, eq=False)
class _SomeFaces:
    """Some faces of a subdivision, with only the edges around them."""

    vertices: Doubles
    edges: NDArray[np.int32]
    face_offsets: Longs
    face_edges: Longs

    @property
    def num_faces(self) -> int:
        """The number of faces."""
        return len(self.face_offsets) - 1


def level_lines(found: Subdivision, values: Doubles) -> list[Doubles]:
    """Find where a function is 0.

    A vertex with the value 0 counts as above: each line then crosses exactly two edges of every
    face that it goes through.

    Args:
        found: the subdivision.
        values: float64 (V,), of the function at the vertices; it is affine on each face.

    Returns:
        Polylines (n, 2). A closed line ends at its first point.
    """
    segments = _segments(found, values)
    return _joined(*segments) if len(segments[0]) else []


def level_segments(found: Subdivision, values: Doubles) -> Doubles:
    """`level_lines` as unordered segments (n, 2, 2), which is faster."""
    return _segments(found, values)[0]


def boundary_lines(found: Subdivision, outputs: Doubles) -> list[Doubles]:
    """Find where another output becomes the largest.

    Args:
        found: the subdivision.
        outputs: float64 (V, outputs), at the vertices; each output is affine on each face.

    Returns:
        Polylines (n, 2). A closed line ends at its first point.
    """
    pairs = _boundary_segments(found, outputs)
    return [line for ends, ids in pairs for line in _joined(ends, ids)]


def boundary_segments(found: Subdivision, outputs: Doubles) -> Doubles:
    """`boundary_lines` as unordered segments (n, 2, 2), which is faster."""
    pairs = [ends for ends, _ in _boundary_segments(found, outputs)]
    return np.concatenate(pairs) if pairs else np.empty((0, 2, 2))


def _boundary_segments(found: Subdivision, outputs: Doubles) -> Iterator[tuple[Doubles, Longs]]:
    """For each pair of outputs the segments between them, and the edges at the segments' ends.

    A face on which one output is the largest at all vertices has no boundary, since outputs are
    affine there. All other faces are searched for all pairs: an output that is the largest at no
    vertex of a face can still be the largest inside it.
    """
    winners = np.argmax(outputs, 1)[found.face_vertices]
    starts = found.face_offsets[:-1]
    mixed = np.minimum.reduceat(winners, starts) < np.maximum.reduceat(winners, starts)
    some, count = _some_faces(found, np.flatnonzero(mixed)), outputs.shape[1]
    for one in range(count) if some.num_faces else ():
        for other in range(one + 1, count):
            ends, ids = _segments(some, outputs[:, one] - outputs[:, other])
            if len(ends):
                ends, ids = _where_largest(some, outputs, one, (ends, ids))
            if len(ends):
                yield ends, ids


def _some_faces(found: Subdivision, faces: Longs) -> _SomeFaces:
    counts = np.diff(found.face_offsets)[faces]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    sides = np.repeat(found.face_offsets[faces] - offsets[:-1], counts) + np.arange(offsets[-1])
    kept, edges = np.unique(found.face_edges[sides], return_inverse=True)
    return _SomeFaces(found.vertices, found.edges[kept], offsets, edges)


def _segments(found: Subdivision | _SomeFaces, values: Doubles) -> tuple[Doubles, Longs]:
    """One segment for each face that is crossed: its ends (n, 2, 2), and their edges (n, 2)."""
    above = values >= 0
    crossed = above[found.edges[:, 0]] != above[found.edges[:, 1]]
    crossings = np.flatnonzero(crossed)
    a, b = found.edges[crossings].T
    share = values[a] / (values[a] - values[b])
    points = found.vertices[a] + share[:, None] * (found.vertices[b] - found.vertices[a])
    sides = np.flatnonzero(crossed[found.face_edges])
    faces = np.searchsorted(found.face_offsets, sides, side="right") - 1
    counts = np.bincount(faces, minlength=found.num_faces)
    two = np.flatnonzero(counts[faces] == 2)
    ids = found.face_edges[sides[two]].reshape(-1, 2).astype(np.int64)
    return points[np.searchsorted(crossings, ids)], ids


def _where_largest(
    found: Subdivision | _SomeFaces,
    outputs: Doubles,
    one: int,
    segments: tuple[Doubles, Longs],
) -> tuple[Doubles, Longs]:
    """The parts of segments on which an output is at least as large as all others."""
    ends, ids = segments
    a, b = found.edges[ids, 0], found.edges[ids, 1]
    whole = found.vertices[b] - found.vertices[a]
    length = np.maximum((whole**2).sum(-1), 1e-300)
    share = ((ends - found.vertices[a]) * whole).sum(-1) / length
    values = outputs[a] + share[..., None] * (outputs[b] - outputs[a])
    # (n, 2, outputs), not negative where the output is the largest.
    lead = values[..., one, None] - values
    start, stop = lead[:, 0], lead[:, 1]
    slack = _TIE * max(1.0, float(np.abs(outputs).max()))
    with np.errstate(divide="ignore", invalid="ignore"):
        zero = np.clip(start / (start - stop), 0, 1)
    low = np.where((start < -slack) & (stop >= -slack), zero, 0).max(1)
    high = np.where((start >= -slack) & (stop < -slack), zero, 1).min(1)
    never = ((start < -slack) & (stop < -slack)).any(1)
    kept = ~never & (low < high)
    along = ends[:, 1] - ends[:, 0]
    cut = np.stack([ends[:, 0] + low[:, None] * along, ends[:, 0] + high[:, None] * along], 1)
    fresh = -1 - np.arange(2 * len(ids)).reshape(-1, 2)
    ids = np.where(np.stack([low > 0, high < 1], 1), fresh, ids)
    return cut[kept], ids[kept]


def _joined(ends: Doubles, ids: Longs) -> list[Doubles]:
    """Join segments to polylines: two segments continue each other if they end on one edge."""
    at: dict[int, list[int]] = {}
    for number, pair in enumerate(ids.tolist()):
        for edge in pair:
            at.setdefault(edge, []).append(number)
    used = np.zeros(len(ids), bool)
    # Open lines first, from their ends; the segments that remain form closed lines.
    order = sorted(range(len(ids)), key=lambda n: min(len(at[edge]) for edge in ids[n].tolist()))
    lines = []
    for number in order:
        if used[number]:
            continue
        first, second = ids[number].tolist()
        turn = len(at[second]) < len(at[first])
        lines.append(_follow(number, int(turn), (ends, ids), at, used))
    return lines


def _follow(
    number: int,
    side: int,
    segments: tuple[Doubles, Longs],
    at: dict[int, list[int]],
    used: NDArray[np.bool_],
) -> Doubles:
    """The polyline that starts with a segment, at one of its two ends."""
    ends, ids = segments
    points = [ends[number, side]]
    while True:
        used[number] = True
        points.append(ends[number, 1 - side])
        edge = int(ids[number, 1 - side])
        after = [one for one in at[edge] if not used[one]]
        if not after:
            return np.array(points)
        number = after[0]
        side = 0 if ids[number, 0] == edge else 1
