"""Folds as few long lines instead of many short edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]
Longs = NDArray[np.int64]

# A point that lies so near the line between those beside it, as a share of the domain's size, is on
# it: vertices within a face are interpolated, and off by rounding alone.
_TOLERANCE = 2.0**-40


def fold_lines(found: Partition) -> list[list[Doubles]]:
    """See `Partition.fold_lines`.

    Source: none, ours. At most vertices a neuron's fold goes on along one other edge; where it ends
    or meets itself, lines end.
    """
    inner = np.flatnonzero(np.diff(found.owner_offsets) > 0)
    owners = found.owners[found.owner_offsets[inner]].astype(np.int64)
    points, offsets, firsts = _chained(found.edges[inner].astype(np.int64), owners)
    places = found.vertices[points]
    kept = _bends(places, offsets, _TOLERANCE * float(np.ptp(found.vertices, axis=0).max()))
    counts = np.add.reduceat(kept, offsets[:-1]) if len(firsts) else np.empty(0, np.int64)
    lines = np.split(places[kept], np.cumsum(counts)[:-1]) if len(firsts) else []
    starts = np.cumsum([0, *found.layer_sizes])
    layers = np.searchsorted(starts, owners[firsts], side="right") - 1
    by_layer: list[list[Doubles]] = [[] for _ in found.layer_sizes]
    for layer, line in zip(layers.tolist(), lines, strict=True):
        by_layer[layer].append(line)
    return by_layer


def _chained(edges: Longs, owners: Longs) -> tuple[Longs, Longs, Longs]:
    """Edges of equal owners from end to end.

    Returns:
        The vertices of all lines, where each begins among them (lines + 1,), and by line its first
        edge.
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


def _bends(places: Doubles, offsets: Longs, tolerance: float) -> NDArray[np.bool_]:
    """Which points are not on the line between those before and after them."""
    kept = np.ones(len(places), bool)
    before, at, after = places[:-2], places[1:-1], places[2:]
    along = after - before
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), np.finfo(float).tiny)
    off = along[:, 0] * (at - before)[:, 1] - along[:, 1] * (at - before)[:, 0]
    ahead = ((at - before) * (after - at)).sum(1) > 0
    kept[1:-1] = ~((np.abs(off) <= tolerance * length) & ahead)
    kept[offsets[:-1]] = kept[offsets[1:] - 1] = True
    return kept
