"""Painting over a target."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bitfold.errors import TargetError
from bitfold.targets import load_target, repainted


def test_pixels_may_have_the_shape_of_the_picture() -> None:
    """Pixels may omit the axes of frames and of grey."""
    ring = load_target("ring", size=8)
    painted = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for pixels in (painted, painted[..., None], painted[None, ..., None]):
        assert np.array_equal(repainted(ring, pixels).pixels[0, :, :, 0], painted)


def test_booleans_are_black_and_white() -> None:
    """True is white and False is black."""
    values = repainted(load_target("ring", size=8), np.eye(8, dtype=bool)).values(np.arange(9))
    assert values.ravel().tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_a_painted_pixel_has_the_class_of_the_nearest_colour() -> None:
    """A painted pixel gets the class of the nearest colour, and the others keep their class."""
    target = load_target("rgb-ring", size=32)
    assert target.classes is not None
    pixels = target.pixels.copy()
    pixels[0, 0, :2] = (250, 9, 3), (1, 2, 240)
    found = repainted(target, pixels)
    assert found.classes is not None
    assert found.classes[:2].tolist() == [0, 2]
    assert np.array_equal(found.classes[2:], target.classes[2:])


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((8, 8), np.float64), np.zeros((8, 8, 3), np.uint8)],
    ids=["size", "type", "colours"],
)
def test_other_pixels_are_refused(pixels: NDArray[np.generic]) -> None:
    """Pixels of another shape or dtype are refused in one line with the expected ones."""
    with pytest.raises(TargetError, match=r"expected uint8 pixels of shape \(8, 8, 1\)"):
        repainted(load_target("ring", size=8), pixels)
