"""The target's panel: scaling, classes and points."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitfold.render.colours import BLUE, SKY_BLUE, VERMILLION, luma
from bitfold.render.frame.scene import Scene
from bitfold.render.frame.target_panel import class_picture, draw_points, scaled

NO_POINTS = np.zeros((0, 2))


def with_points(
    shape: tuple[int, int], training: npt.ArrayLike, validation: npt.ArrayLike = (), ground: int = 0
) -> npt.NDArray[np.uint8]:
    """A panel of one grey with points drawn on it."""
    panel = np.full((*shape, 3), ground, dtype=np.uint8)
    learned, checked = (
        np.asarray(points, dtype=float).reshape(-1, 2) for points in (training, validation)
    )
    draw_points(panel, Scene(panel.copy(), learned, checked))
    return panel


def test_small_pictures_are_scaled_by_nearest_pixels() -> None:
    """A checkerboard of four pixels becomes four flat fields, with no colour between."""
    board = np.array([[0, 255], [255, 0]], dtype=np.uint8)[..., None].repeat(3, axis=2)
    large = scaled(board, 8, 6)
    assert large.shape == (6, 8, 3)
    assert (large == np.kron(board, np.ones((3, 4, 1), np.uint8))).all()


def test_large_pictures_are_averaged() -> None:
    """Fine stripes become grey, unless they are classes."""
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    assert (scaled(stripes, 16, 16) == 100).all()
    assert set(np.unique(scaled(stripes, 16, 16, is_flat=True))) <= {0, 200}


@given(
    own=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    wanted=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_size_scales_to_any_size(own: tuple[int, int], wanted: tuple[int, int]) -> None:
    """Pictures of any aspect fill the panel, and a flat one keeps its colour."""
    flat = np.full((*own, 3), (3, 70, 250), dtype=np.uint8)
    for is_flat in (False, True):
        shown = scaled(flat, wanted[1], wanted[0], is_flat=is_flat)
        assert shown.shape == (*wanted, 3)
        assert (shown == (3, 70, 250)).all()


def test_classes_take_their_display_colours_and_the_rest_its_own() -> None:
    """Pixels without a class are shown as in the picture."""
    picture = np.array([[[255, 0, 0], [0, 0, 255], [90, 20, 60]]], dtype=np.uint8)
    colours = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    classes = np.array([[0, 1, -1]])
    known = Scene(picture, NO_POINTS, NO_POINTS, classes=classes, class_colours=colours)
    guessed = Scene(picture, NO_POINTS, NO_POINTS, class_colours=colours)
    expected = [[list(VERMILLION), list(BLUE), [90, 20, 60]]]
    assert class_picture(known, 3, 1).tolist() == expected
    assert class_picture(guessed, 3, 1).tolist() == expected


def test_points_lie_where_they_are_said_to() -> None:
    """A point at the middle of a pixel colours that pixel: x to the right, y downwards."""
    panel = with_points((10, 20), [[0.125, 0.95]])
    assert np.argwhere(panel.any(axis=-1)).tolist() == [[9, 2]]
    assert tuple(panel[9, 2].tolist()) == SKY_BLUE


def test_points_on_the_border_are_drawn_and_those_beyond_are_not() -> None:
    """Both ends of [0, 1] belong to the panel."""
    panel = with_points((10, 10), [[0.0, 0.0], [1.0, 1.0], [1.01, 0.5], [0.5, -0.01]])
    assert np.argwhere(panel.any(axis=-1)).tolist() == [[0, 0], [9, 9]]


def test_validation_points_lie_over_training_points() -> None:
    """Validation points, which are fewer, are drawn over training points, in another colour."""
    panel = with_points((10, 10), [[0.55, 0.55]], [[0.55, 0.55], [0.15, 0.15]])
    assert panel[5, 5].tolist() == panel[1, 1].tolist() != list(SKY_BLUE)


@pytest.mark.parametrize(("side", "num_points"), [(64, 400), (256, 5_000), (1024, 6_000)])
def test_points_leave_the_target_visible(side: int, num_points: int) -> None:
    """At most a tenth of the panel is covered, and every point is visible."""
    positions = np.random.default_rng(1).random((num_points, 2))
    covered = np.asarray(with_points((side, side), positions).any(axis=-1))
    assert covered.mean() <= 0.1
    cells = (positions * side).astype(int)
    assert covered[cells[:, 1], cells[:, 0]].all()


def test_a_point_on_every_pixel_still_shows_the_target() -> None:
    """If points cover the whole panel, black and white under them still differ clearly."""
    middle = (np.arange(32) + 0.5) / 32
    everywhere = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    dark, light = (with_points((32, 32), everywhere, ground=ground) for ground in (0, 255))
    assert light.astype(int).mean() - dark.astype(int).mean() > 230


@pytest.mark.parametrize("ground", [0, 255])
def test_points_contrast_with_dark_and_light(ground: int) -> None:
    """Training and validation points differ by at least 120 in brightness from the ground."""
    panel = with_points((10, 10), [[0.05, 0.05]], [[0.95, 0.95]], ground=ground)
    for pixel in (panel[0, 0], panel[9, 9]):
        assert abs(int(luma(pixel)) - ground) >= 120
