"""Exact lines within a partition: where an affine function of each face has a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Some:
    """Some faces of a partition, with the edges around them alone."""

    vertices: Doubles
    edges: NDArray[np.int32]
    face_offsets: NDArray[np.int64]
    face_edges: NDArray[np.int64]

    @property
    def num_polytopes(self) -> int:
        """How many faces there are."""
        return len(self.face_offsets) - 1


def level_lines(found: Partition, values: Doubles) -> list[Doubles]:
    """Where values at the vertices, interpolated, are 0, as polylines (n, 2).

    Source: none, ours. A vertex whose value is 0 counts as above: each line then crosses two edges
    of every face that it goes through.
    """
    segments = _segments(found, values)
    return _joined(*segments) if len(segments[0]) else []


def boundary_between(found: Partition, outputs: Doubles) -> list[Doubles]:
    """Where the largest of several outputs changes, as polylines (n, 2).

    Args:
        found: the partition.
        outputs: at its vertices, (V, outputs).
    """
    pairs = _boundary_segments(found, outputs)
    return [line for ends, ids in pairs for line in _joined(ends, ids)]


def boundary_segments(found: Partition, outputs: Doubles) -> Doubles:
    """The same as segments (n, 2, 2) in no order, which is faster."""
    pairs = [ends for ends, _ in _boundary_segments(found, outputs)]
    return np.concatenate(pairs) if pairs else np.empty((0, 2, 2))


def level_segments(found: Partition, values: Doubles) -> Doubles:
    """`level_lines` as segments (n, 2, 2) in no order."""
    return _segments(found, values)[0]


def _boundary_segments(
    found: Partition, outputs: Doubles
) -> Iterator[tuple[Doubles, NDArray[np.int64]]]:
    """By pair of outputs the segments between them, and the edges at their ends.

    Only where they matter: a face at whose vertices the same output is the largest has it
    throughout, as outputs are affine there. Elsewhere one may be the largest at no vertex.
    """
    winners = np.argmax(outputs, 1)[found.face_vertices]
    starts = found.face_offsets[:-1]
    mixed = np.minimum.reduceat(winners, starts) < np.maximum.reduceat(winners, starts)
    some, count = _some(found, np.flatnonzero(mixed)), outputs.shape[1]
    for one in range(count) if some.num_polytopes else ():
        for other in range(one + 1, count):
            ends, ids = _segments(some, outputs[:, one] - outputs[:, other])
            if len(ends):
                ends, ids = _where_largest(some, outputs, one, (ends, ids))
            if len(ends):
                yield ends, ids


def _some(found: Partition, faces: NDArray[np.int64]) -> _Some:
    counts = np.diff(found.face_offsets)[faces]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    sides = np.repeat(found.face_offsets[faces] - offsets[:-1], counts) + np.arange(offsets[-1])
    kept, edges = np.unique(found.face_edges[sides], return_inverse=True)
    return _Some(found.vertices, found.edges[kept], offsets, edges)


def _segments(found: Partition | _Some, values: Doubles) -> tuple[Doubles, NDArray[np.int64]]:
    """One segment for each face that is crossed: its ends (n, 2, 2), and their edges (n, 2)."""
    above = values >= 0
    a, b = found.edges.T
    crossed = above[a] != above[b]
    share = np.zeros(len(a))
    share[crossed] = values[a][crossed] / (values[a] - values[b])[crossed]
    points = found.vertices[a] + share[:, None] * (found.vertices[b] - found.vertices[a])
    sides = np.flatnonzero(crossed[found.face_edges])
    faces = np.searchsorted(found.face_offsets, sides, side="right") - 1
    counts = np.bincount(faces, minlength=found.num_polytopes)
    two = np.flatnonzero(counts[faces] == 2)
    ids = found.face_edges[sides[two]].reshape(-1, 2).astype(np.int64)
    return points[ids], ids


def _where_largest(
    found: Partition | _Some,
    outputs: Doubles,
    one: int,
    segments: tuple[Doubles, NDArray[np.int64]],
) -> tuple[Doubles, NDArray[np.int64]]:
    """The parts of segments on which an output is at least as large as all others."""
    ends, ids = segments
    a, b = found.edges[ids, 0], found.edges[ids, 1]
    whole = found.vertices[b] - found.vertices[a]
    length = np.maximum((whole**2).sum(-1), 1e-300)
    share = ((ends - found.vertices[a]) * whole).sum(-1) / length
    values = outputs[a] + share[..., None] * (outputs[b] - outputs[a])
    lead = values[..., one, None] - values  # (n, 2, outputs), 0 or more where it is largest
    start, stop = lead[:, 0], lead[:, 1]
    slack = 1e-12 * max(1.0, float(np.abs(outputs).max()))
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


def _joined(ends: Doubles, ids: NDArray[np.int64]) -> list[Doubles]:
    """Segments as polylines: two segments go on in each other where they end on the same edge."""
    at: dict[int, list[int]] = {}
    for number, pair in enumerate(ids.tolist()):
        for edge in pair:
            at.setdefault(edge, []).append(number)
    used = np.zeros(len(ids), bool)
    # Open lines first, from their ends; what is left are closed ones.
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
    segments: tuple[Doubles, NDArray[np.int64]],
    at: dict[int, list[int]],
    used: NDArray[np.bool_],
) -> Doubles:
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
