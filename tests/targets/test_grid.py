"""Tests of the map between pixels and coordinates."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitfold.errors import ConfigError, TargetError
from bitfold.targets import Grid, Window, window_axes, window_positions
from bitfold.targets.frames import edges_of_durations

sides = st.integers(1, 8192)


@given(sides, sides, st.integers(1, 500), st.booleans(), st.data())
def test_every_pixel_survives_the_way_to_coordinates_and_back(
    width: Any, height: Any, frames: Any, clip: Any, data: Any
) -> None:
    """A pixel's coordinates, rounded to float32, lead back to that pixel at every size."""
    grid = Grid(width, height, frames if clip else 1, clip)
    drawn = data.draw(st.lists(st.integers(0, grid.num_pixels - 1), min_size=1, max_size=50))
    indices = np.array([0, grid.num_pixels - 1, *drawn])
    coordinates = grid.coordinates(indices)
    assert coordinates.dtype == np.float32
    assert coordinates.shape == (len(indices), grid.num_dimensions)
    assert np.abs(coordinates).max() < 0.5
    np.testing.assert_array_equal(grid.indices(coordinates), indices)


def test_the_formula_is_the_documented_one() -> None:
    """Coordinates are (index + 0.5) / count - 0.5, x by column, y by row downwards, t by frame."""
    grid = Grid(width=4, height=5, num_frames=2, is_clip=True)
    index = (1 * 5 + 3) * 4 + 2
    expected = [2.5 / 4 - 0.5, 3.5 / 5 - 0.5, 1.5 / 2 - 0.5]
    np.testing.assert_allclose(grid.coordinates(np.array([index]))[0], expected, rtol=1e-7)


def test_points_outside_go_to_the_border() -> None:
    """Points outside the picture, also infinitely far, map to the nearest border pixel."""
    far = np.array([[-9.0, -9.0], [9.0, 0.0], [np.inf, np.inf], [-np.inf, 0.49]])
    assert Grid(4, 2).indices(far).tolist() == [0, 7, 7, 4]


def test_what_is_no_point_is_refused() -> None:
    """NaN, a wrong number of coordinates and indices outside the grid are errors."""
    grid = Grid(4, 2)
    with pytest.raises(TargetError, match="got NaN"):
        grid.indices(np.array([[np.nan, 0.0]]))
    with pytest.raises(TargetError, match=r"expected points \(N, 2\)"):
        grid.indices(np.zeros((3, 3)))
    for index in (-1, 8):
        with pytest.raises(TargetError, match=r"expected indices in \[0, 8\)"):
            grid.coordinates(np.array([index]))


def test_empty_grids_are_refused() -> None:
    """A grid has at least one pixel, and only clips have several frames."""
    with pytest.raises(TargetError):
        Grid(0, 3)
    with pytest.raises(TargetError):
        Grid(3, 3, num_frames=2)


def test_a_window_of_the_whole_picture_has_the_pixels_coordinates() -> None:
    """The raster of the default window at the picture's size is the picture's own grid."""
    grid = Grid(7, 5)
    xs, ys = window_axes(Window(), 7, 5)
    coordinates = grid.coordinates(np.arange(35)).reshape(5, 7, 2)
    np.testing.assert_array_equal(coordinates[0, :, 0], xs.astype(np.float32))
    np.testing.assert_array_equal(coordinates[:, 0, 1], ys.astype(np.float32))


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.01, 9), st.floats(0.01, 9))
def test_positions_invert_axes(x0: Any, y0: Any, width: Any, height: Any) -> None:
    """The pixel centres of a window lie at (column + 0.5) / width of it."""
    window = Window(x0, y0, x0 + width, y0 + height)
    xs, ys = window_axes(window, 8, 8)
    positions = window_positions(window, np.stack([xs, ys], axis=1))
    expected = (np.arange(8) + 0.5) / 8
    np.testing.assert_allclose(positions, np.stack([expected] * 2, axis=1), atol=1e-9)


@pytest.mark.parametrize(
    "edges", [(0, 0, 0, 1), (0, 1, 1, 0), (0, 0, np.inf, 1), (np.nan, 0, 1, 1)]
)
def test_windows_without_area_are_refused(edges: Any) -> None:
    """An empty, turned or infinite window is an error of configuration."""
    with pytest.raises(ConfigError, match="Cannot use this window"):
        Window(*edges)


def test_rasters_without_pixels_are_refused() -> None:
    """A raster has at least one row and one column."""
    with pytest.raises(ConfigError, match="got 0 x 4"):
        window_axes(Window(), 0, 4)


@given(st.integers(1, 10_000), st.data())
def test_frames_survive_the_way_to_time_and_back(num_frames: Any, data: Any) -> None:
    """A frame's time leads back to that frame."""
    frame = data.draw(st.integers(0, num_frames - 1))
    grid = Grid(1, 1, num_frames, is_clip=True)
    assert grid.frame_at(grid.frame_time(frame)) == frame


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=50), st.data())
def test_uneven_frames_survive_the_way_to_time_and_back(durations: Any, data: Any) -> None:
    """A frame's time leads back to that frame, however long each is shown."""
    edges = edges_of_durations(np.array(durations))
    grid = Grid(1, 1, len(durations), is_clip=True, frame_edges=edges)
    frame = data.draw(st.integers(0, len(durations) - 1))
    assert grid.frame_at(grid.frame_time(frame)) == frame
    points = grid.coordinates(np.arange(len(durations)))
    assert (np.diff(points[:, 2].astype(np.float64)) > 0).all()
    np.testing.assert_array_equal(grid.indices(points), np.arange(len(durations)))
