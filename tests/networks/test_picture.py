"""Tests of the picture that a network shows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bitfold.networks import Picture


@given(st.integers(1, 8192), st.integers(1, 8192))
def test_the_simplest_sides_give_the_own_size(width: int, height: int) -> None:
    """A picture's own longer side gives its own size, also by the simplest ratio."""
    picture = Picture(width, height)
    simple = Picture(*picture.simplest_sides())
    longer = max(width, height)
    assert picture.size_px(longer) == (width, height)
    assert simple.size_px(longer) == (width, height)
    assert max(simple.width, simple.height) <= longer
    difference = np.subtract(simple.size_px(1024), picture.size_px(1024))
    assert np.abs(difference).max() <= 1


def test_common_pictures_have_simple_sides() -> None:
    """Common sizes become well-known ratios."""
    for size, expected in (
        ((1920, 1080), (16, 9)), ((1024, 683), (3, 2)), ((600, 800), (3, 4)), ((3, 2), (3, 2)),
    ):  # fmt: skip
        assert Picture(*size).simplest_sides() == expected
