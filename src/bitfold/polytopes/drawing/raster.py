"""Partitions on rasters of pixels: values, faces and folds, without asking the network again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]


class Lines(NamedTuple):
    """Lines on a raster.

    Attributes:
        cover: uint8 (height, width), the share of each pixel that lines cover, in 255ths.
        numbers: uint8 (height, width), the number of the line that covers most of it; 0 where
            there is none.
    """

    cover: NDArray[np.uint8]
    numbers: NDArray[np.uint8]

    @classmethod
    def none(cls, width: int, height: int) -> Lines:
        """A raster without lines."""
        return cls(*np.zeros((2, height, width), np.uint8))


class Raster:
    """The pixels that a rectangle of the plane is drawn on.

    Source: none, ours.

    Args:
        low: the plane's coordinates (2,) of the corner of the first pixel.
        high: of the opposite corner of the last one; columns go with the first coordinate.
        width: columns.
        height: rows.

    >>> Raster((-1, -1), (1, 1), 4, 4).pixels(np.zeros((1, 2))).tolist()
    [[2.0, 2.0]]
    """

    def __init__(
        self, low: tuple[float, float], high: tuple[float, float], width: int, height: int
    ) -> None:
        self._low, self.width, self.height = np.array(low, np.float64), width, height
        self._scale = np.array([width, height]) / (np.array(high, np.float64) - self._low)

    def pixels(self, points: Doubles) -> Doubles:
        """Points (..., 2) of the plane in pixels; the first one's centre is (0.5, 0.5)."""
        return (points - self._low) * self._scale

    def values(self, found: Partition, values: Doubles | None = None) -> NDArray[np.float32]:
        """A function that is affine on each face, at the centres of pixels.

        Args:
            found: the partition.
            values: (V, k), at its vertices; by default the network's outputs.

        Returns:
            float32 (height, width, k); NaN outside of the partition.
        """
        from bitfold.polytopes.drawing.raster_kernels import fill_values  # noqa: PLC0415 - imports Numba

        given = found.vertex_outputs if values is None else np.asarray(values, np.float64)
        picture = np.full((self.height, self.width, given.shape[1]), np.nan, np.float32)
        points = self.pixels(found.vertices)
        fill_values(points, np.ascontiguousarray(given), *_sides(found), picture)
        return picture

    def faces(self, found: Partition) -> NDArray[np.int32]:
        """The face that each pixel's centre lies in: int32 (height, width), -1 outside."""
        from bitfold.polytopes.drawing.raster_kernels import fill_numbers  # noqa: PLC0415 - imports Numba

        picture = np.full((self.height, self.width), -1, np.int32)
        fill_numbers(self.pixels(found.vertices), *_sides(found), picture)
        return picture

    def lines(
        self, segments: Doubles, line_width: float, numbers: NDArray[np.uint8] | None = None
    ) -> Lines:
        """Draw segments, with smooth edges; of several in one pixel the boldest counts.

        Args:
            segments: (n, 2, 2), both ends of each, in the plane's coordinates.
            line_width: in pixels.
            numbers: (n,), of the segments; by default 0.
        """
        from bitfold.polytopes.drawing.raster_kernels import cover_lines  # noqa: PLC0415 - imports Numba

        lines = Lines.none(self.width, self.height)
        ends = self.pixels(segments).reshape(-1, 4)
        given = np.zeros(len(ends), np.uint8) if numbers is None else numbers
        cover_lines(ends, given, line_width / 2, *lines)
        return lines


def fold_segments(found: Partition) -> tuple[Doubles, NDArray[np.int32]]:
    """All folds: ends (n, 2, 2) and the neuron that folds first there (n,), in its order."""
    counts = np.diff(found.owner_offsets)
    folds = np.flatnonzero(counts > 0)
    neurons = found.owners[found.owner_offsets[folds]]
    order = np.argsort(neurons, kind="stable")
    return found.vertices[found.edges[folds[order]]], neurons[order]


def _sides(
    found: Partition,
) -> tuple[NDArray[np.int32], tuple[NDArray[np.int32], NDArray[np.int32]], NDArray[np.bool_]]:
    backwards = found.edges[found.face_edges, 0] != found.face_vertices
    return found.edges, (found.face_offsets, found.face_edges), backwards
