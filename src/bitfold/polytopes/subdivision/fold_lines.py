"""Folds as few long lines instead of many short edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.subdivision.subdivision import Subdivision

Doubles = NDArray[np.float64]
Longs = NDArray[np.int64]

# A point this near to the line through its two neighbours, relative to the size of the polygon, is
# on that line: vertices inside a face are interpolated, so rounding alone moves them off it.
_TOLERANCE = 2.0**-40


def fold_lines(found: Subdivision, group_sizes: Sequence[int]) -> list[list[Doubles]]:
    """Join edges of one owner to polylines.

    At most vertices the fold of an owner continues along exactly one other edge. A line ends where
    the fold ends or meets itself.

    Args:
        found: the subdivision.
        group_sizes: the number of owners in each group: the first group holds the smallest numbers.

    Returns:
        For each group its folds as polylines (n, 2), without points in the middle of a straight
        line. An edge with several owners belongs to the first of them alone.
    """
    owners = found.owners[found.owner_offsets[found.folds]].astype(np.int64)
    points, offsets, firsts = _chained(found.edges[found.folds].astype(np.int64), owners)
    at = found.vertices[points]
    kept = _corners(at, offsets, _TOLERANCE * float(np.ptp(found.vertices, axis=0).max()))
    counts = np.add.reduceat(kept, offsets[:-1]) if len(firsts) else np.empty(0, np.int64)
    lines = np.split(at[kept], np.cumsum(counts)[:-1]) if len(firsts) else []
    starts = np.cumsum([0, *group_sizes])
    groups = np.searchsorted(starts, owners[firsts], side="right") - 1
    by_group: list[list[Doubles]] = [[] for _ in group_sizes]
    for group, line in zip(groups.tolist(), lines, strict=True):
        by_group[group].append(line)
    return by_group


def _chained(edges: Longs, owners: Longs) -> tuple[Longs, Longs, Longs]:
    """Chain edges of equal owner from end to end.

    Args:
        edges: (n, 2), vertices.
        owners: (n,).

    Returns:
        The vertices of all lines; (lines + 1,), where each line begins among them; (lines,), the
        first edge of each line.
    """
    from bitfold.polytopes.subdivision.fold_kernels import follow_ends  # noqa: PLC0415 - imports Numba

    ends = edges.reshape(-1)
    order = np.lexsort((ends, np.repeat(owners, 2)))
    vertices, of = ends[order], np.repeat(owners, 2)[order]
    is_first = np.ones(len(order) + 1, bool)
    is_first[1:-1] = (vertices[1:] != vertices[:-1]) | (of[1:] != of[:-1])
    groups = np.flatnonzero(is_first)
    pairs = groups[:-1][np.diff(groups) == 2]
    partners = np.full(len(ends), -1, np.int64)
    partners[order[pairs]], partners[order[pairs + 1]] = order[pairs + 1], order[pairs]
    points = np.empty(len(ends), np.int64)
    offsets, firsts = np.zeros(len(edges) + 1, np.int64), np.empty(len(edges), np.int64)
    num_lines = follow_ends(ends, partners, points, offsets, firsts)
    return points[: offsets[num_lines]], offsets[: num_lines + 1], firsts[:num_lines]


def _corners(points: Doubles, offsets: Longs, tolerance: float) -> NDArray[np.bool_]:
    """Flag the points that do not lie on the straight line between their two neighbours."""
    kept = np.ones(len(points), bool)
    before, at, after = points[:-2], points[1:-1], points[2:]
    along = after - before
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), np.finfo(float).tiny)
    off = along[:, 0] * (at - before)[:, 1] - along[:, 1] * (at - before)[:, 0]
    ahead = ((at - before) * (after - at)).sum(1) > 0
    kept[1:-1] = ~((np.abs(off) <= tolerance * length) & ahead)
    kept[offsets[:-1]] = kept[offsets[1:] - 1] = True
    return kept
