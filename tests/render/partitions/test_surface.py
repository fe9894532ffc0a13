"""Surfaces as mesh files, which parsers in this file read back."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bitfold.errors import RenderError
from bitfold.polytopes import Partition, partition
from bitfold.render import Surface, surface_of, write_surface


@pytest.fixture(scope="module")
def found() -> Partition:
    """A partition of two layers and two outputs."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(2, 9), nn.ReLU(), nn.Linear(9, 8), nn.LeakyReLU(), nn.Linear(8, 2)
    )
    return partition(network.eval(), ((-2, -1), (2, 1)))


def read_obj(path: Path) -> dict[str, Any]:
    """Vertices and polygons of an OBJ file."""
    lines = [line.split() for line in path.read_text().splitlines() if line[0] != "#"]
    vertices = np.array([line[1:] for line in lines if line[0] == "v"], float)
    faces = [[int(item) - 1 for item in line[1:]] for line in lines if line[0] == "f"]
    assert len(vertices) + len(faces) == len(lines)
    return {"vertices": vertices, "faces": faces}


TYPES = {"double": "d", "uchar": "B", "int": "i"}


def read_ply(path: Path) -> dict[str, Any]:
    """Vertices, polygons and their colours of a binary PLY file, as its header says."""
    data = path.read_bytes()
    header, rest = data.split(b"end_header\n", 1)
    lines = [line.split() for line in header.decode().splitlines()]
    assert lines[0] == ["ply"]
    assert lines[1] == ["format", "binary_little_endian", "1.0"]
    elements: dict[str, tuple[int, list[list[str]]]] = {}
    for line in lines[2:]:
        if line[0] == "element":
            elements[line[1]] = int(line[2]), []
        elif line[0] == "property":
            list(elements.values())[-1][1].append(line[1:])
    at, found = 0, {}
    for name, (count, properties) in elements.items():
        rows: list[dict[str, Any]] = []
        for _ in range(count):
            row = {}
            for *kinds, label in properties:
                number = 1
                if kinds[0] == "list":
                    (number,) = struct.unpack_from("<" + TYPES[kinds[1]], rest, at)
                    at += struct.calcsize(TYPES[kinds[1]])
                code = f"<{number}{TYPES[kinds[-1]]}"
                row[label] = struct.unpack_from(code, rest, at)
                at += struct.calcsize(code)
            rows.append(row)
        found[name] = rows
    assert at == len(rest)
    result: dict[str, Any] = {
        "vertices": np.array([[row[axis][0] for axis in "xyz"] for row in found["vertex"]]),
        "faces": [list(row["vertex_indices"]) for row in found["face"]],
    }
    for name, rows in found.items():
        if "red" in rows[0]:
            colours = [[row[c][0] for c in ("red", "green", "blue")] for row in rows]
            result[f"{name}_colours"] = np.array(colours)
    return result


READERS = {".obj": read_obj, ".ply": read_ply}


@pytest.mark.parametrize("is_y_down", [False, True])
@pytest.mark.parametrize("suffix", READERS)
def test_the_mesh_is_the_graph_of_the_function(
    suffix: str, is_y_down: bool, found: Partition, tmp_path: Path
) -> None:
    """Heights are outputs; facets are flat, counter-clockwise from above, and connected."""
    heights = 0.5 * found.vertex_outputs[:, 1]
    write_surface(tmp_path / f"a{suffix}", surface_of(found, heights, is_y_down=is_y_down))
    mesh = READERS[suffix](tmp_path / f"a{suffix}")
    vertices, faces = mesh["vertices"], mesh["faces"]
    plane = vertices[:, :2] * [1, -1 if is_y_down else 1]
    np.testing.assert_array_equal(plane, found.vertices)
    np.testing.assert_allclose(vertices[:, 2], 0.5 * found.evaluate(plane)[:, 1], atol=1e-12)
    assert len(faces) == found.num_polytopes
    sides = {(a, b) for face in faces for a, b in zip(face, face[1:] + face[:1], strict=True)}
    assert len(sides) == sum(map(len, faces)), "each side once in each direction"
    num_edges = len({frozenset(side) for side in sides})
    assert len(vertices) - num_edges + len(faces) == 1
    for face, area in zip(faces, found.areas, strict=True):
        x, y, z = vertices[face].T
        assert (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2 == pytest.approx(area, abs=1e-12)
        flat = np.stack([x, y, np.ones_like(x)], 1)
        solution = np.linalg.lstsq(flat, z, rcond=None)[0]
        np.testing.assert_allclose(flat @ solution, z, atol=1e-9)


def test_colours_are_of_vertices_or_faces(found: Partition, tmp_path: Path) -> None:
    """Functions and values colour vertices, which faces share; all others colour faces."""
    heights = found.vertex_outputs[:, 0]

    def mesh(faces: Any) -> dict[str, Any]:
        write_surface(tmp_path / "a.ply", surface_of(found, heights, faces=faces))
        return read_ply(tmp_path / "a.ply")

    shown = mesh(lambda outputs: np.clip(outputs[:, [0, 1, 0]], 0, 1))
    expected = np.round(255 * np.clip(found.vertex_outputs, 0, 1))
    np.testing.assert_array_equal(shown["vertex_colours"], expected[:, [0, 1, 0]])
    assert set(shown) == {"vertices", "faces", "vertex_colours"}
    assert set(mesh("value")) == {"vertices", "faces", "vertex_colours"}
    assert set(mesh("none")) == {"vertices", "faces"}
    for faces in ("area", "slope", "identity"):
        colours = mesh(faces)["face_colours"]
        assert len(colours) == found.num_polytopes
        assert len(np.unique(colours, axis=0)) > 10


def test_a_polygon_of_many_sides_keeps_them(tmp_path: Path) -> None:
    """Polygons of more than 255 sides are written with a wider count."""
    turns = np.linspace(0, 2 * np.pi, 301)[:-1]
    circle = np.stack([np.cos(turns), np.sin(turns), 0 * turns], 1)
    surface = Surface(circle, np.array([0, 300]), np.arange(300))
    for suffix, read in READERS.items():
        write_surface(tmp_path / f"a{suffix}", surface)
        mesh = read(tmp_path / f"a{suffix}")
        assert mesh["faces"] == [list(range(300))]
        np.testing.assert_array_equal(mesh["vertices"], circle)


def test_what_cannot_be_written_is_one_line(found: Partition, tmp_path: Path) -> None:
    """An unknown suffix and a missing folder give one line."""
    surface = surface_of(found, found.vertex_outputs[:, 0])
    for path, said in (
        (tmp_path / "a.stl", "expected a name ending in .obj or .ply, got .stl"),
        (tmp_path / "none" / "a.obj", "expected a writable file and free space"),
    ):
        with pytest.raises(RenderError) as caught:
            write_surface(path, surface)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
