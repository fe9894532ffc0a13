"""Checks of a subdivision against the network that folds it."""

from __future__ import annotations

import numpy as np

from bitfold.polytopes.backends import ALL_FACES, Backend
from bitfold.polytopes.subdivision.checks import TOLERANCE, fail


def check_network(backend: Backend) -> None:
    """Verify that patterns and maps fit the subdivision.

    Raises:
        PolytopeError: the patterns of two neighbours do not differ by exactly the owners of the
            edge between them, or a face's map does not give the network's outputs at its vertices.
            The error names the place.
    """
    _check_patterns(backend)
    _check_maps(backend)


def _check_patterns(backend: Backend) -> None:
    found, patterns = backend.subdivision, backend.patterns
    inner = np.flatnonzero(found.neighbours.min(1) >= 0)
    # The pattern of a sliver is that of its centroid, which rounding may move into a neighbour.
    large = found.areas > TOLERANCE * found.areas.sum()
    left, right = found.neighbours[inner].T
    inner = inner[large[left] & large[right]]
    left, right = found.neighbours[inner].T
    differ = patterns[left] ^ patterns[right]
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
        fail(
            f"patterns of faces {one} and {other} to differ by the owners of edge {edge}, got "
            f"other differences ({len(wrong)} edges like this)"
        )


def _check_maps(backend: Backend) -> None:
    found, outputs = backend.subdivision, backend.vertex_outputs
    faces = np.repeat(np.arange(found.num_faces), np.diff(found.face_offsets))
    maps = backend.maps_on(ALL_FACES)[faces]
    corners = found.vertices[found.face_vertices]
    given = maps[..., 0] * corners[:, :1] + maps[..., 1] * corners[:, 1:] + maps[..., 2]
    large = found.areas[faces] > TOLERANCE * found.areas.sum()
    off = np.abs(given - outputs[found.face_vertices]).max(1) * large
    worst = int(np.argmax(off))
    scale = max(1.0, float(np.abs(outputs).max()))
    if off[worst] > TOLERANCE * 1e3 * scale:
        fail(f"maps that give the network's outputs, got face {faces[worst]} {off[worst]:.3g} off")
