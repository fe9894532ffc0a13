"""Compiled interpolation on triangulated grids. Importing this module imports Numba."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

Floats = NDArray[np.float32]
Places = NDArray[np.int32]


@compiled
def interpolate(
    points: Floats,
    flat: Floats,
    sizes: tuple[int, float],
    place: tuple[Places, Floats],
    out: Floats,
) -> None:
    """Write the features of points, and the corners and shares that `spread` needs.

    Args:
        points: (N, d), d is 2 or 3.
        flat: (V, F), a table on its padded grid: see `grid_interpolation.padded`.
        sizes: the cells along a side of the picture; the gain: features are this many times the
            numbers of ``flat``.
        place: vertices (N, d + 1) and shares (N, d + 1), written; see `grid_interpolation.corners`.
        out: (N, F), written.
    """
    cells, gain = sizes
    vertices, shares = place
    num_points, dimensions = points.shape
    side = cells + 3
    fractions = np.empty(dimensions, np.float32)
    strides = np.empty(dimensions, np.int64)
    for n in range(num_points):
        first, stride = 0, 1
        for axis in range(dimensions):
            scaled = (points[n, axis] + np.float32(0.5)) * np.float32(cells)
            if not scaled >= np.float32(-1):  # NaN too, which no comparison holds for
                scaled = np.float32(-1)
            scaled = min(scaled, np.float32(cells + 1)) + np.float32(1)
            base = min(int(scaled), cells + 1)
            first += base * stride
            _insert(fractions, strides, axis, scaled - np.float32(base), stride)
            stride *= side
        before = np.float32(1)
        for k in range(dimensions + 1):
            after = fractions[k] if k < dimensions else np.float32(0)
            vertices[n, k], shares[n, k] = first, before - after
            before = after
            if k < dimensions:
                first += strides[k]
        for f in range(flat.shape[1]):
            total = np.float32(0)
            for k in range(dimensions + 1):
                total += shares[n, k] * flat[vertices[n, k], f]
            out[n, f] = np.float32(gain) * total


@compiled(inline="always")
def _insert(
    fractions: Floats, strides: NDArray[np.int64], count: int, fraction: np.float32, stride: int
) -> None:
    """Insert a fraction with its stride into the first ones, which fall; equal ones keep order."""
    k = count
    while k > 0 and fractions[k - 1] < fraction:
        fractions[k], strides[k] = fractions[k - 1], strides[k - 1]
        k -= 1
    fractions[k], strides[k] = fraction, stride


@compiled
def spread(place: tuple[Places, Floats], grad: Floats, gain: float, flat: Floats) -> None:
    """Add to each vertex of a padded grid (V, F) the gradients (N, F), times gain and shares."""
    vertices, shares = place
    for n in range(grad.shape[0]):
        for k in range(vertices.shape[1]):
            share = np.float32(gain) * shares[n, k]
            for f in range(grad.shape[1]):
                flat[vertices[n, k], f] += share * grad[n, f]
