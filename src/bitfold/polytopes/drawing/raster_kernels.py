"""Compiled loops that put faces and lines onto pixels. Importing this module imports Numba."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]


@compiled
def fill_values(
    points: Doubles,
    values: Doubles,
    edges: Ints,
    faces: tuple[Ints, Ints],
    backwards: NDArray[np.bool_],
    picture: NDArray[np.floating],
) -> None:
    """Fill each pixel with the value at its centre of a function that is affine on each face.

    The crossing of an edge with a row of pixels is computed from the edge alone. Both faces beside
    the edge therefore find the same crossing, and every pixel belongs to exactly one face.

    Values are interpolated along edges, then along the row, and never extrapolated.

    Args:
        points: (V, 2), in pixels; the centre of the first pixel is (0.5, 0.5).
        values: (V, k), at the points.
        edges: (E, 2).
        faces: offsets, and the edges around each face.
        backwards: for each edge of each face whether the face has the edge reversed.
        picture: (height, width, k), written where there is a face.
    """
    height, width, depth = picture.shape
    points, values, edges = borrowed(points), borrowed(values), borrowed(edges)
    starts, sides, backwards = borrowed(faces[0]), borrowed(faces[1]), borrowed(backwards)
    picture = borrowed(picture)
    spans, ends = np.empty((height, 2)), np.empty((height, 2, depth))
    for face in range(len(starts) - 1):
        top, bottom = height, 0
        for k in range(starts[face], starts[face + 1]):
            first, stop = _cross_rows(
                edges[sides[k], 0], edges[sides[k], 1], backwards[k], points, values, spans, ends
            )
            top, bottom = min(top, first), max(bottom, stop)
        for row in range(top, bottom):
            left, right = spans[row, 0], spans[row, 1]
            first, stop = _pixels(left, right, width)
            if stop <= first:
                continue
            scale = 1 / (right - left)
            for channel in range(depth):
                slope = (ends[row, 1, channel] - ends[row, 0, channel]) * scale
                start = ends[row, 0, channel] + (0.5 - left) * slope
                for column in range(first, stop):
                    picture[row, column, channel] = start + column * slope


@compiled
def fill_numbers(
    points: Doubles,
    edges: Ints,
    faces: tuple[Ints, Ints],
    backwards: NDArray[np.bool_],
    picture: Ints,
) -> None:
    """Fill each pixel (height, width) with the number of the face around its centre.

    For the arguments see `fill_values`.
    """
    height, width = picture.shape
    starts, sides = faces
    values, ends = np.empty((len(points), 0)), np.empty((height, 2, 0))
    spans = np.empty((height, 2))
    for face in range(len(starts) - 1):
        top, bottom = height, 0
        for k in range(starts[face], starts[face + 1]):
            first, stop = _cross_rows(
                edges[sides[k], 0], edges[sides[k], 1], backwards[k], points, values, spans, ends
            )
            top, bottom = min(top, first), max(bottom, stop)
        for row in range(top, bottom):
            first, stop = _pixels(spans[row, 0], spans[row, 1], width)
            picture[row, first : max(first, stop)] = face


@compiled(inline="always")
def _pixels(low: float, high: float, count: int) -> tuple[int, int]:
    """The pixels whose centres c have low <= c < high: the first, and one past the last."""
    first = min(max(np.ceil(low - 0.5), 0.0), float(count))
    stop = min(max(np.ceil(high - 0.5), 0.0), float(count))
    return int(first), int(stop)


@compiled(inline="always")
def _cross_rows(
    a: int,
    b: int,
    is_backwards: bool,
    points: Doubles,
    values: Doubles,
    spans: Doubles,
    ends: Doubles,
) -> tuple[int, int]:
    """Write where a side crosses the centres of rows, and the values there; return the rows.

    A side that runs towards higher rows is the right border of its face, and a side that runs
    towards lower rows the left border.
    """
    rises = points[b, 1] > points[a, 1]
    side = 1 if rises != is_backwards else 0
    low, high = (a, b) if rises else (b, a)
    first, stop = _pixels(points[low, 1], points[high, 1], len(spans))
    if stop <= first:
        return len(spans), 0
    scale = 1 / (points[high, 1] - points[low, 1])
    for row in range(first, stop):
        share = (row + 0.5 - points[low, 1]) * scale
        spans[row, side] = points[low, 0] + share * (points[high, 0] - points[low, 0])
        for channel in range(values.shape[1]):
            value = values[low, channel]
            ends[row, side, channel] = value + share * (values[high, channel] - value)
    return first, stop


@compiled
def cover_lines(
    segments: Doubles,
    numbers: NDArray[np.uint8],
    half_width: float,
    cover: NDArray[np.uint8],
    picture: NDArray[np.uint8],
) -> None:
    """Draw line segments with smooth edges and round ends, one after the other.

    The covered share of a pixel follows from its centre's distance to the segment. Where several
    segments cover a pixel the largest share counts.

    Args:
        segments: (n, 4), x and y of both ends in pixels.
        numbers: (n,), of the segments.
        half_width: of the lines, in pixels.
        cover: (height, width), the covered share of each pixel in 255ths; raised where lines lie.
        picture: (height, width), written: the number of the segment that covers most of the pixel.
    """
    segments, numbers = borrowed(segments), borrowed(numbers)
    cover, picture = borrowed(cover), borrowed(picture)
    for k in range(len(segments)):
        _cover_line(segments, k, numbers[k], half_width, cover, picture)


@inlined
def _distance(
    px: float, py: float, unit: tuple[float, float], whole: tuple[float, float], length: float
) -> float:
    """The distance of a pixel's centre from a segment, all relative to the segment's start."""
    along = px * unit[0] + py * unit[1]
    distance = abs(px * unit[1] - py * unit[0])
    if along < 0:
        distance = np.sqrt(px * px + py * py)
    elif along > length:
        distance = np.sqrt((px - whole[0]) ** 2 + (py - whole[1]) ** 2)
    return distance


@compiled(inline="always")
def _cover_line(
    segments: Doubles,
    k: int,
    number: np.uint8,
    half_width: float,
    cover: NDArray[np.uint8],
    picture: NDArray[np.uint8],
) -> Any:
    x0, y0, x1, y1 = segments[k, 0], segments[k, 1], segments[k, 2], segments[k, 3]
    dx, dy = x1 - x0, y1 - y0
    is_flat = abs(dx) >= abs(dy)
    length = np.sqrt(dx * dx + dy * dy)
    if not length > 0:
        return
    ux, uy = dx / length, dy / length
    reach = half_width + 0.5
    along_major, along_minor = (x0, y0) if is_flat else (y0, x0)
    major, slope = (dx, dy / dx) if is_flat else (dy, dx / dy)
    limits = (cover.shape[1], cover.shape[0]) if is_flat else cover.shape
    # An inclined line's band is wider across the minor axis than its half-width.
    across = reach * np.sqrt(1 + slope * slope)
    first = max(0, int(np.floor(min(along_major, along_major + major) - reach)))
    stop = min(limits[0], int(np.ceil(max(along_major, along_major + major) + reach)))
    for i in range(first, stop):
        centre = along_minor + (i + 0.5 - along_major) * slope
        low = max(0, int(np.floor(centre - across)))
        high = min(limits[1], int(np.ceil(centre + across)))
        for j in range(low, high):
            row, column = (j, i) if is_flat else (i, j)
            if cover[row, column] == 255:
                continue
            share = reach - _distance(column + 0.5 - x0, row + 0.5 - y0, (ux, uy), (dx, dy), length)
            if share <= 0:
                continue
            level = np.uint8(min(share, 1.0) * 255.0)
            if level > cover[row, column]:
                cover[row, column] = level
                picture[row, column] = number
