"""Tests of the pictures drawn by code."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitfold.errors import TargetError
from bitfold.targets import builtin_names, draw_builtin, load_target
from bitfold.targets.drawn.builtin import suggest_builtin

NAMES = ("ring", "rgb-ring", "disk", "spiral", "checkerboard")


@given(st.sampled_from(NAMES), st.integers(8, 100))
def test_drawings_have_the_asked_size_and_two_tones(name: Any, size: Any) -> None:
    """Every drawing is square, of the size asked for, and spans black to white or pure colours."""
    pixels = draw_builtin(name, size)
    assert pixels.shape == (size, size, 3 if name == "rgb-ring" else 1)
    assert pixels.min() == 0
    assert pixels.max() >= 100


@pytest.mark.parametrize("name", ["ring", "rgb-ring", "disk"])
def test_round_drawings_are_symmetric(name: str) -> None:
    """A ring or disk looks the same mirrored and turned."""
    pixels = draw_builtin(name, 65)
    np.testing.assert_array_equal(pixels, pixels[::-1])
    np.testing.assert_array_equal(pixels, pixels[:, ::-1])
    np.testing.assert_array_equal(pixels, pixels.swapaxes(0, 1))


def test_the_spiral_has_two_equal_arms() -> None:
    """The spiral looks the same after half a turn, but not mirrored."""
    pixels = draw_builtin("spiral", 64).astype(int)
    assert np.abs(pixels - pixels[::-1, ::-1]).max() <= 1
    assert np.abs(pixels - pixels[:, ::-1]).max() == 255


def test_the_colour_ring_is_pure_and_balanced() -> None:
    """The colour ring has pure red, green and blue only, each on a tenth of it or more."""
    target = load_target("rgb-ring", size=128)
    assert target.task == "classification"
    assert target.num_left_out == 0
    assert target.classes is not None
    assert np.bincount(target.classes).min() >= 0.1 * 128 * 128
    assert target.picture()[0, 0].tolist() == [255, 0, 0]
    assert target.picture()[64, 64].tolist() == [0, 255, 0]
    assert target.picture()[64, 64 - 38].tolist() == [0, 0, 255]


def test_the_ring_has_its_area() -> None:
    """The ring's brightness is the area between its radii, at every size."""
    expected = np.pi * (0.38**2 - 0.22**2)
    for size in (64, 256):
        assert draw_builtin("ring", size).mean() / 255 == pytest.approx(expected, rel=0.01)


def test_a_drawing_does_not_depend_on_its_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing in bands of rows gives the picture drawn at once."""
    whole = draw_builtin("spiral", 50)
    monkeypatch.setattr("bitfold.targets.drawn.builtin.BAND_PIXELS", 150)
    np.testing.assert_array_equal(draw_builtin("spiral", 50), whole)


@pytest.mark.parametrize(("size", "letters"), [(8, "A"), (64, "bitfold"), (300, "I"), (100, "a b")])
def test_text_fits_its_picture(size: int, letters: str) -> None:
    """The text's longer side is the size, and its ink does not touch the border."""
    pixels = draw_builtin(f"text:{letters}", size)[..., 0]
    assert max(pixels.shape) == size
    assert min(pixels.shape) >= 8
    assert pixels.max() > 200
    if size > 8:
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert border.max() == 0


def test_text_stays_upright() -> None:
    """An L has its bar at the bottom and its stem at the left."""
    pixels = draw_builtin("text:L", 128)[..., 0] > 127
    height, width = pixels.shape
    assert pixels[-height // 4 :].sum() > 1.5 * pixels[: height // 4].sum()
    assert pixels[:, : width // 2].sum() > pixels[:, width // 2 :].sum()


@pytest.mark.parametrize("letters", ["", "  ", "\t", "\n"])
def test_text_without_letters_is_refused(letters: str) -> None:
    """Text needs at least one letter."""
    with pytest.raises(TargetError, match="at least one letter") as caught:
        load_target(f"text:{letters}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("letters", "message"), [("漢", "DejaVu"), ("a\nb", "DejaVu"), ("x" * 65, "64")]
)
def test_letters_that_cannot_be_drawn_are_refused(letters: Any, message: str) -> None:
    """Letters that the font lacks, line breaks and very long texts are errors."""
    with pytest.raises(TargetError, match=message):
        load_target(f"text:{letters}")


@pytest.mark.parametrize("name", ["ring", "text:A"])
@pytest.mark.parametrize("size", [7, 8193, 0, -1])
def test_sizes_out_of_bounds_are_refused(name: str, size: int) -> None:
    """The size is between 8 and 8192 pixels."""
    with pytest.raises(TargetError, match="8 to 8192"):
        load_target(name, size=size)


def test_misspelt_names_get_a_suggestion() -> None:
    """An unknown word lists the built-in names and suggests the nearest."""
    for wrong, right in (
        ("rign", "ring"),
        ("rgb_ring", "rgb-ring"),
        ("chekerboard", "checkerboard"),
    ):
        assert suggest_builtin(wrong) == right
        with pytest.raises(TargetError, match=f"Did you mean '{right}'") as caught:
            load_target(wrong)
        assert all(name in str(caught.value) for name in builtin_names())
    with pytest.raises(TargetError, match="text:LETTERS"):
        load_target("holiday")
    with pytest.raises(TargetError, match="expected one of"):
        draw_builtin("holiday", 64)
