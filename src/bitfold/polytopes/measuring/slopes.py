"""The slopes of a partition's maps, and the jumps of their gradients across its folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]

# The number of outputs whose gradients are held at a time.
_CHUNK_OUTPUTS = 16
# Width of a face relative to the size of the domain. In thinner faces, differences between vertices
# would lose more than a third of float64's digits.
_THIN = 1e-6


def slope_norms(
    found: Partition, outputs: Doubles, folds: NDArray[np.int64]
) -> tuple[Doubles, ...]:
    """Return the slopes of the maps, and the jumps of their gradients across folds.

    Outputs are affine on a face, so the values at three of its vertices give their gradient. For
    faces too thin for that, the backend gives the map.

    Args:
        found: the partition.
        outputs: float64 (V, outputs), at the vertices.
        folds: edges that have a face on both sides.

    Returns:
        Frobenius norms in outputs per unit of the plane's coordinates: of each face's gradient
        (F,), and of the difference of gradients across each fold (folds,).
    """
    corners = _triangles(found)
    sides = found.vertices[corners[:, 1:]] - found.vertices[corners[:, :1]]
    twice = sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0]
    reach = np.sqrt((sides**2).sum(2).max(1))
    is_thin = twice < _THIN * np.ptp(found.vertices, axis=0).max() * reach
    thin = np.flatnonzero(is_thin)
    exact = found.backend.maps_on(thin) if len(thin) else None
    inverse = np.stack([sides[:, 1, 1], -sides[:, 0, 1], -sides[:, 1, 0], sides[:, 0, 0]], 1)
    inverse = (inverse / np.where(is_thin, 1.0, twice)[:, None]).reshape(-1, 2, 2)
    steep, jumps = np.zeros(found.num_polytopes), np.zeros(len(folds))
    left, right = found.neighbours[folds].T
    for start in range(0, outputs.shape[1], _CHUNK_OUTPUTS):
        some = outputs[:, start : start + _CHUNK_OUTPUTS]
        rises = some[corners[:, 1:]] - some[corners[:, :1]]
        gradients = inverse @ rises  # (F, 2, outputs)
        if exact is not None:
            chunk = exact[:, start : start + _CHUNK_OUTPUTS, :2]
            gradients[thin] = chunk.transpose(0, 2, 1)
        steep += (gradients**2).sum((1, 2))
        jumps += ((gradients[left] - gradients[right]) ** 2).sum((1, 2))
    return np.sqrt(steep), np.sqrt(jumps)


def _triangles(found: Partition) -> NDArray[np.int64]:
    """Three vertices of each face, (F, 3): the ends of a longest side, and the farthest vertex."""
    starts = found.vertices[found.face_vertices]
    after = found.edges[found.face_edges].sum(1) - found.face_vertices
    along = found.vertices[after] - starts
    faces = np.repeat(np.arange(found.num_polytopes), np.diff(found.face_offsets))
    base = _largest(found, (along**2).sum(1), faces)
    from_base, with_base = starts - starts[base][faces], along[base][faces]
    height = with_base[:, 0] * from_base[:, 1] - with_base[:, 1] * from_base[:, 0]
    apex = _largest(found, height, faces)
    chosen = np.stack([found.face_vertices[base], after[base], found.face_vertices[apex]], 1)
    return chosen.astype(np.int64)


def _largest(found: Partition, values: Doubles, faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each face the corner with the largest value; the first of equal ones."""
    most = np.maximum.reduceat(values, found.face_offsets[:-1])
    corners = np.flatnonzero(values == most[faces])
    return corners[np.searchsorted(corners, found.face_offsets[:-1])]
