"""A subdivision without a network: a square cut by two lines."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bitfold.errors import PolytopeError
from bitfold.polytopes import Plane
from bitfold.polytopes.drawing.filling import Filling
from bitfold.polytopes.drawing.plotting import plot_boundary, plot_filling, plot_folds
from bitfold.polytopes.drawing.raster import Raster, fold_segments
from bitfold.polytopes.files.partition_file import (
    GEOMETRY,
    PartitionContent,
    read_partition,
    write_partition,
)
from bitfold.polytopes.lowering.lowered import Bend
from bitfold.polytopes.subdivision.checks import check_geometry
from bitfold.polytopes.subdivision.fold_lines import fold_lines
from bitfold.polytopes.subdivision.level_sets import boundary_lines, level_lines
from tests.polytopes.hand_made import crossed_square

AREAS = [0.125, 0.375, 0.375, 0.125]


def test_areas_centroids_and_neighbours_are_those_of_the_rectangles() -> None:
    """Each of the four faces has its own area, middle and neighbours."""
    square = crossed_square()
    assert square.num_faces == 4
    assert square.areas.tolist() == AREAS
    assert square.centroids.tolist() == [
        [0.125, 0.25], [0.625, 0.25], [0.625, 0.75], [0.125, 0.75]
    ]  # fmt: skip
    assert square.face_neighbours.reshape(4, 4).tolist() == [
        [-1, 1, 3, -1], [-1, -1, 2, 0], [1, -1, -1, 3], [0, 2, -1, -1]
    ]  # fmt: skip


def test_points_are_located() -> None:
    """Each point lies in its rectangle, and a point outside in none."""
    points = np.array([(0.1, 0.1), (0.9, 0.4), (0.3, 0.9), (0.2, 0.6), (1.1, 0.5), (-1, 2)])
    assert crossed_square().locate(points).tolist() == [0, 1, 2, 3, -1, -1]


def test_level_sets_folds_and_boundaries_are_lines() -> None:
    """x = y is found across the faces, and each fold is one line from side to side."""
    square = crossed_square()
    x, y = square.vertices.T
    lines = [line.tolist() for line in level_lines(square, 2 * y - x - 0.5)]
    assert np.allclose(sorted(lines[0]), [(0, 0.25), (0.25, 0.375), (0.5, 0.5), (1, 0.75)])
    outputs = np.stack([x, y, np.full(9, 0.2)], 1)
    ends = {tuple(np.round(point, 9)) for line in boundary_lines(square, outputs) for point in line}
    # The first two outputs are equal from (0.2, 0.2) on; the third is largest below and left.
    assert {(0.2, 0.2), (0.2, 0.0), (0.0, 0.2), (1.0, 1.0)} <= ends
    vertical, horizontal = fold_lines(square, [1, 1])
    assert sorted(vertical[0].tolist()) == [[0.25, 0], [0.25, 1]]
    assert sorted(horizontal[0].tolist()) == [[0, 0.5], [1, 0.5]]


def test_a_wrong_subdivision_does_not_check() -> None:
    """A dented face, a reversed face and a missing edge are named; the square itself passes."""
    square = crossed_square()
    check_geometry(square)

    def moved(vertex: int, x: float, y: float) -> None:
        vertices = square.vertices.copy()
        vertices[vertex] = x, y
        check_geometry(dataclasses.replace(square, vertices=vertices))

    with pytest.raises(PolytopeError, match="expected convex faces, got face 0"):
        moved(8, 0.1, 0.2)
    with pytest.raises(PolytopeError, match="expected no face turned over, got face"):
        moved(8, 0.25, 3.0)
    with pytest.raises(PolytopeError, match="expected V - E"):
        check_geometry(dataclasses.replace(square, edges=square.edges[:-1]))


def test_it_is_drawn() -> None:
    """The subdivision is drawn on a raster and on axes, with folds and a boundary."""
    square = crossed_square()
    faces = Raster((0, 0), (1, 1), 8, 4).faces(square)
    assert faces.tolist() == [[0] * 2 + [1] * 6] * 2 + [[3] * 2 + [2] * 6] * 2
    segments, owners = fold_segments(square)
    assert owners.tolist() == [0, 0, 1, 1]
    assert Raster((0, 0), (1, 1), 8, 4).lines(segments, 1.0).cover[:, 1].min() > 100
    axes = Figure().add_subplot()
    image = plot_filling(axes, square, Filling(square.areas[faces], "area"))
    plot_folds(axes, fold_lines(square, [1, 1]), ["line 0", "line 1"], 1.0, [1, 1])
    plot_boundary(axes, level_lines(square, square.vertices[:, 0] - 0.7), 1.0)
    assert image.get_array().shape == (4, 8)
    assert axes.get_xlim() == axes.get_ylim() == (0, 1)
    names = [drawn.get_gid() for drawn in axes.collections]
    assert names == ["layer-2", "layer-1", "boundary-casing", "boundary"]


def test_a_pixel_on_a_border_belongs_to_exactly_one_face() -> None:
    """A pixel centre on a fold or on the outer border belongs to exactly one face."""
    square = crossed_square()
    # Columns have centres at x = 0, 1/4, 1/2, 3/4 and 1, and rows the same.
    raster = Raster((-0.125, -0.125), (1.125, 1.125), 5, 5)
    below, above = [0, 1, 1, 1, -1], [3, 2, 2, 2, -1]
    assert raster.faces(square).tolist() == [below, below, above, above, [-1] * 5]
    values = raster.values(square, square.vertices, np.float64)
    assert (np.isnan(values[..., 0]) == (raster.faces(square) < 0)).all()
    assert values[2, 3].tolist() == [0.75, 0.5]


def test_bands_of_a_raster_are_the_raster() -> None:
    """Bands of one row, of some rows and of all give the same pixels."""
    square = crossed_square()
    raster = Raster((-0.1, -0.2), (1.2, 1.1), 7, 10)
    whole = raster.values(square, square.vertices, np.float64)
    for most in (1, 21, 10**6):
        parts: list[NDArray[np.floating]] = []
        for rows, band in raster.bands(most):
            assert rows.stop - rows.start == band.height
            parts.append(band.values(square, square.vertices, np.float64))
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-14)


def test_it_is_saved_and_read(tmp_path: Path) -> None:
    """Patterns, maps and outputs made by hand are saved and read."""
    square = crossed_square()
    content = PartitionContent(
        square,
        Plane(torch.zeros(2), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])),
        layers=(Bend("0", "relu"),),
        layer_sizes=(2,),
        layers_in_all=1,
        num_given_up=0,
        patterns=np.array([[0], [1], [3], [2]], np.uint64),
        maps=np.tile([1.0, 1.0, 0.0], (4, 1, 1)),
        outputs=square.vertices.sum(1, keepdims=True),
    )
    write_partition(tmp_path / "square.npz", content)
    found = read_partition(tmp_path / "square.npz")
    for name in GEOMETRY:
        np.testing.assert_array_equal(getattr(found.subdivision, name), getattr(square, name))
    assert found.layers == content.layers
    np.testing.assert_array_equal(found.maps, content.maps)
    check_geometry(found.subdivision)
