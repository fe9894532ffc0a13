"""Verifies a partition against itself and against its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bitfold.errors import PolytopeError

if TYPE_CHECKING:
    from bitfold.polytopes.partition import Partition

# Shares of the domain's size, and of the outputs': far above rounding, far below anything seen.
_TOLERANCE = 1e-9


def check_partition(found: Partition) -> None:
    """See `Partition.check`."""
    _check_counts(found)
    _check_areas(found)
    _check_convex(found)
    _check_patterns(found)
    _check_maps(found)


def _check_counts(found: Partition) -> None:
    euler = len(found.vertices) - len(found.edges) + found.num_polytopes
    if euler != 1:
        _refuse(f"V - E + F = 1, got {euler}")
    if found.num_given_up:
        _refuse(f"every fold to go on to the border, got {found.num_given_up} that do not")


def _check_areas(found: Partition) -> None:
    border = np.flatnonzero(found.neighbours.min(1) < 0)
    ends = found.vertices[found.edges[border]]
    turned = found.neighbours[border, 0] < 0
    ends[turned] = ends[turned, ::-1]
    centre = found.vertices.mean(0)
    (ax, ay), (bx, by) = (ends[:, 0] - centre).T, (ends[:, 1] - centre).T
    whole = (ax * by - ay * bx).sum() / 2
    if abs(found.areas.sum() - whole) > _TOLERANCE * whole:
        _refuse(f"areas that add up to {whole:.12g}, got {found.areas.sum():.12g}")
    worst = int(np.argmin(found.areas))
    if found.areas[worst] < -_TOLERANCE * whole:
        _refuse(f"no face turned over, got face {worst} of area {found.areas[worst]:.3g}")


def _check_convex(found: Partition) -> None:
    starts = found.vertices[found.face_vertices]
    ends = found.vertices[found.edges[found.face_edges].sum(1) - found.face_vertices]
    sides = ends - starts
    after = np.arange(len(sides)) + 1
    after[found.face_offsets[1:] - 1] = found.face_offsets[:-1]
    turns = sides[:, 0] * sides[after, 1] - sides[:, 1] * sides[after, 0]
    lengths = np.hypot(*sides.T)
    size = np.ptp(found.vertices, axis=0).max()
    # How far a corner lies within the line through those beside it.
    depth = turns / np.maximum(np.maximum(lengths, lengths[after]), 1e-300)
    worst = int(np.argmin(depth))
    if depth[worst] < -_TOLERANCE * size:
        face = int(np.searchsorted(found.face_offsets, worst, side="right")) - 1
        _refuse(f"convex faces, got one that is not: face {face} by {-depth[worst]:.3g}")


def _check_patterns(found: Partition) -> None:
    """Patterns of neighbours must differ by just the owners of the edge between them."""
    inner = np.flatnonzero(found.neighbours.min(1) >= 0)
    large = found.areas > _TOLERANCE * found.areas.sum()
    left, right = found.neighbours[inner].T
    inner = inner[large[left] & large[right]]
    left, right = found.neighbours[inner].T
    differ = found.patterns[left] ^ found.patterns[right]
    starts, ends = found.owner_offsets[inner], found.owner_offsets[inner + 1]
    expected = np.zeros_like(differ)
    for step in range(int((ends - starts).max(initial=0))):
        rows = np.flatnonzero(starts + step < ends)
        neurons = found.owners[starts[rows] + step]
        bits = np.uint64(1) << (neurons % 64).astype(np.uint64)
        expected[rows, neurons // 64] |= bits
    wrong = np.flatnonzero((differ != expected).any(1))
    if len(wrong):
        edge, (one, other) = inner[wrong[0]], found.neighbours[inner[wrong[0]]]
        _refuse(
            f"patterns of faces {one} and {other} to differ by the owners of edge {edge}, got "
            f"others ({len(wrong)} such edges)"
        )


def _check_maps(found: Partition) -> None:
    """At its vertices a face's map must give the network's outputs."""
    outputs = found.vertex_outputs
    faces = np.repeat(np.arange(found.num_polytopes), np.diff(found.face_offsets))
    maps = found.affine_maps()[faces]
    corners = found.vertices[found.face_vertices]
    given = maps[..., 0] * corners[:, :1] + maps[..., 1] * corners[:, 1:] + maps[..., 2]
    large = found.areas[faces] > _TOLERANCE * found.areas.sum()
    off = np.abs(given - outputs[found.face_vertices]).max(1) * large
    worst = int(np.argmax(off))
    scale = max(1.0, float(np.abs(outputs).max()))
    if off[worst] > _TOLERANCE * 1e3 * scale:
        _refuse(
            f"maps that give the network's outputs, got {off[worst]:.3g} off on face {faces[worst]}"
        )


def _refuse(expected: str) -> None:
    raise PolytopeError(f"This partition is wrong: expected {expected}. Please report the network.")
