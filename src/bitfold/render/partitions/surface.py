"""Polygons in space, and their mesh files: Wavefront OBJ and Stanford PLY."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import RenderError
from bitfold.runtime.atomic_files import write_atomically

SUFFIXES: Final = (".obj", ".ply")

Doubles = NDArray[np.float64]
Ints = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Surface:
    """Polygons that share their vertices.

    Args:
        vertices: float64 (V, 3).
        face_offsets: integers (F + 1,), the start of each polygon in ``face_vertices``.
        face_vertices: integers, the vertices around each polygon, counter-clockwise as seen from
            large z.
        vertex_colours: (V, 3), 0 to 1, or None; only PLY files have them.
        face_colours: (F, 3), 0 to 1, or None; only PLY files have them.
    """

    vertices: Doubles
    face_offsets: Ints
    face_vertices: Ints
    vertex_colours: Doubles | None = None
    face_colours: Doubles | None = None


def write_surface(path: Path, surface: Surface) -> None:
    """Write polygons into a file; coordinates keep all digits.

    Source: Wavefront's OBJ, appendix B1 of the Advanced Visualizer's manual; Turk 1994, "The PLY
    polygon file format", binary, little endian, with coordinates of type double.

    Args:
        path: path ending in ``.obj`` or ``.ply``; an existing file is replaced when the new one is
            complete.
        surface: the polygons.

    Raises:
        RenderError: the suffix is unknown, a coordinate is not finite, or the file cannot be
            written.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise RenderError(
            f"Cannot write the surface {path}: expected a name ending in {' or '.join(SUFFIXES)}, "
            f"got {path.suffix or 'no ending'}. Rename it."
        )
    if not np.isfinite(surface.vertices).all():
        num_bad = int((~np.isfinite(surface.vertices)).sum())
        raise RenderError(
            f"Cannot write the surface {path}: expected finite coordinates, got {num_bad} others. "
            "Choose another height."
        )
    try:
        write_atomically(path, _obj(surface) if kind == ".obj" else _ply(surface))
    except OSError as error:
        raise RenderError(
            f"Cannot write the surface {path}: expected a writable file and free space, "
            f"got {error.strerror}. Make room, or choose another path."
        ) from None


def _obj(surface: Surface) -> bytes:
    lines = ["# bitfold"]
    lines += [f"v {x!r} {y!r} {z!r}" for x, y, z in surface.vertices.tolist()]
    corners = (surface.face_vertices + 1).tolist()
    for start, stop in pairwise(surface.face_offsets.tolist()):
        lines.append("f " + " ".join(map(str, corners[start:stop])))
    return ("\n".join(lines) + "\n").encode()


def _ply(surface: Surface) -> bytes:
    counts = np.diff(surface.face_offsets)
    is_short = int(counts.max()) < 256
    colour = ["property uchar red", "property uchar green", "property uchar blue"]
    header = [
        "ply", "format binary_little_endian 1.0", "comment bitfold",
        f"element vertex {len(surface.vertices)}",
        *(f"property double {axis}" for axis in "xyz"),
        *(colour if surface.vertex_colours is not None else []),
        f"element face {len(counts)}",
        f"property list {'uchar' if is_short else 'int'} int vertex_indices",
        *(colour if surface.face_colours is not None else []),
        "end_header", "",
    ]  # fmt: skip
    vertices = _records(surface.vertices.astype("<f8"), surface.vertex_colours)
    faces = b"".join(_face_records(surface, "u1" if is_short else "<i4"))
    return "\n".join(header).encode() + vertices.tobytes() + faces


def _face_records(surface: Surface, count_type: str) -> Iterator[bytes]:
    """Yield the bytes of polygons, in runs of the same number of sides."""
    counts = np.diff(surface.face_offsets)
    changes = np.flatnonzero(np.diff(counts)) + 1
    for start, stop in pairwise([0, *changes.tolist(), len(counts)]):
        number = int(counts[start])
        first, last = surface.face_offsets[start], surface.face_offsets[stop]
        corners = surface.face_vertices[first:last].reshape(-1, number).astype("<i4")
        head = np.full((stop - start, 1), number, count_type).view(np.uint8)
        colours = None if surface.face_colours is None else surface.face_colours[start:stop]
        yield np.concatenate([head, _records(corners, colours)], 1).tobytes()


def _records(numbers: NDArray[np.generic], colours: Doubles | None) -> NDArray[np.uint8]:
    """Return rows of numbers as bytes, each followed by its colour."""
    plain = np.ascontiguousarray(numbers).view(np.uint8)
    if colours is None:
        return plain
    return np.concatenate([plain, np.round(255 * np.clip(colours, 0, 1)).astype(np.uint8)], 1)
