"""Subdivisions on a raster of pixels: values, faces and folds, without evaluating the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bitfold.polytopes.subdivision.subdivision import Subdivision

Doubles = NDArray[np.float64]


class LineCover(NamedTuple):
    """The pixels that lines cover.

    Attributes:
        cover: uint8 (height, width), the share of each pixel that is covered, in 255ths.
        numbers: uint8 (height, width), the number of the line that covers most of the pixel; 0
            where no line does.
    """

    cover: NDArray[np.uint8]
    numbers: NDArray[np.uint8]

    @classmethod
    def none(cls, width: int, height: int) -> LineCover:
        """A raster without lines."""
        return cls(*np.zeros((2, height, width), np.uint8))


class Raster:
    """The pixels on which a rectangle of the plane is drawn.

    A pixel belongs to the face around its centre. A centre on an edge belongs to the face on the
    side of larger coordinates: to the right, or above for a horizontal edge. A pixel therefore
    belongs to exactly one face.

    Args:
        low: coordinates (2,) of the outer corner of the first pixel.
        high: coordinates (2,) of the outer corner of the last pixel. Columns follow the first
            coordinate.
        width: number of columns.
        height: number of rows.

    >>> Raster((-1, -1), (1, 1), 4, 4).pixels(np.zeros((1, 2))).tolist()
    [[2.0, 2.0]]
    """

    def __init__(
        self, low: tuple[float, float], high: tuple[float, float], width: int, height: int
    ) -> None:
        self._low, self.width, self.height = np.array(low, np.float64), width, height
        self._scale = np.array([width, height]) / (np.array(high, np.float64) - self._low)

    @classmethod
    def around(cls, found: Subdivision, longer_px: int) -> Raster:
        """The raster of the box around a subdivision; its longer side has ``longer_px`` pixels."""
        low, high = found.extent
        sides = np.ptp(found.vertices, axis=0)
        width, height = (max(1, round(longer_px * side / sides.max())) for side in sides.tolist())
        return cls(tuple(low), tuple(high), width, height)

    def bands(self, most_pixels: int) -> Iterator[tuple[slice, Raster]]:
        """Divide the raster into bands of whole rows: at most ``most_pixels`` pixels, or one row.

        Yields:
            The rows of each band, and the band as a raster of its own.
        """
        step = max(1, most_pixels // self.width)
        for first in range(0, self.height, step):
            stop = min(first + step, self.height)
            low = self._low + (0, first) / self._scale
            high = self._low + (self.width, stop) / self._scale
            yield slice(first, stop), Raster(tuple(low), tuple(high), self.width, stop - first)

    def pixels(self, points: Doubles) -> Doubles:
        """Points (..., 2) of the plane in pixels; the centre of the first pixel is (0.5, 0.5)."""
        return (points - self._low) * self._scale

    def centres(self) -> Doubles:
        """The coordinates of the pixels' centres, float64 (height, width, 2)."""
        rows, columns = np.arange(self.height), np.arange(self.width)
        x, y = (columns + 0.5) / self._scale[0], (rows + 0.5) / self._scale[1]
        return np.stack(np.meshgrid(x, y), -1) + self._low

    def values(
        self, found: Subdivision, values: Doubles, dtype: DTypeLike = np.float32
    ) -> NDArray[np.floating]:
        """Evaluate a function that is affine on each face, at the centres of pixels.

        Args:
            found: the subdivision.
            values: (V, k), of the function at the vertices.
            dtype: of the result, float32 or float64. All arithmetic is in float64.

        Returns:
            (height, width, k), NaN outside the subdivision.
        """
        from bitfold.polytopes.drawing.raster_kernels import fill_values  # noqa: PLC0415 - imports Numba

        given = np.ascontiguousarray(values, np.float64)
        picture = np.full((self.height, self.width, given.shape[1]), np.nan, dtype)
        fill_values(self.pixels(found.vertices), given, *_sides(found), picture)
        return picture

    def faces(self, found: Subdivision) -> NDArray[np.int32]:
        """The face that each pixel belongs to: int32 (height, width), -1 outside."""
        from bitfold.polytopes.drawing.raster_kernels import fill_numbers  # noqa: PLC0415 - imports Numba

        picture = np.full((self.height, self.width), -1, np.int32)
        fill_numbers(self.pixels(found.vertices), *_sides(found), picture)
        return picture

    def lines(
        self, segments: Doubles, line_width: float, numbers: NDArray[np.uint8] | None = None
    ) -> LineCover:
        """Draw segments with smooth edges. Where several meet in a pixel the boldest counts.

        Args:
            segments: (n, 2, 2), both ends of each segment, in coordinates of the plane.
            line_width: in pixels.
            numbers: (n,), of the segments; 0 by default.
        """
        from bitfold.polytopes.drawing.raster_kernels import cover_lines  # noqa: PLC0415 - imports Numba

        lines = LineCover.none(self.width, self.height)
        ends = self.pixels(segments).reshape(-1, 4)
        given = np.zeros(len(ends), np.uint8) if numbers is None else numbers
        cover_lines(ends, given, line_width / 2, *lines)
        return lines


def fold_segments(found: Subdivision) -> tuple[Doubles, NDArray[np.int32]]:
    """All folds: their ends (n, 2, 2), and the first owner of each (n,), ascending."""
    owners = found.owners[found.owner_offsets[found.folds]]
    # NumPy sorts short integers by their digits, several times as fast.
    is_short = owners.max(initial=0) <= np.iinfo(np.uint16).max
    order = np.argsort(owners.astype(np.uint16) if is_short else owners, kind="stable")
    return found.vertices[found.edges[found.folds[order]]], owners[order]


def _sides(
    found: Subdivision,
) -> tuple[NDArray[np.int32], tuple[NDArray[np.int32], NDArray[np.int32]], NDArray[np.bool_]]:
    """Edges, faces as offsets and edges, and whether a face has its edge reversed."""
    backwards = found.edges[found.face_edges, 0] != found.face_vertices
    return found.edges, (found.face_offsets, found.face_edges), backwards
