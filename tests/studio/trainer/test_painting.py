"""Strokes on a target: the pixels that change, and their new values."""

from __future__ import annotations

import numpy as np
import pytest

from bitfold.errors import StudioError
from bitfold.studio.trainer.canvas import Canvas
from bitfold.studio.trainer.painting import Stroke, painted
from bitfold.targets import load_target

BLACK = np.zeros((1, 32, 32, 1), np.uint8)


def test_a_brush_covers_a_line_with_round_ends() -> None:
    """The picture's middle is (0, 0), y runs downwards, and the radius is in picture heights."""
    stroke = Stroke("brush", [[-0.25, -0.25], [0.25, -0.25]], 1.5 / 32)
    found = painted(BLACK, stroke, BLACK)[0, :, :, 0]
    assert found[8, 8:24].tolist() == [255] * 16
    assert found[12:].max() == 0
    assert found[:5].max() == 0


def test_colours_of_sixteen_bits_are_whole() -> None:
    """White in 16 bits is 65,535."""
    deep = np.zeros((1, 8, 8, 3), np.uint16)
    found = painted(deep, Stroke("brush", [[0, 0]], 0.5, "#ff0080"), deep)
    assert found[0, 4, 4].tolist() == [65535, 0, 0x80 * 257]


def test_the_eraser_brings_the_original_back() -> None:
    """The eraser restores the original only where it passes."""
    white = np.full_like(BLACK, 255)
    found = painted(white, Stroke("eraser", [[0.0, 0.0]], 0.1), BLACK)[0, :, :, 0]
    assert (found[15, 15], found[0, 0]) == (0, 255)


def test_fill_stops_at_another_colour() -> None:
    """Fill does not pass between pixels that touch only at a corner."""
    walled = BLACK.copy()
    walled[0, 10, :] = 128
    found = painted(walled, Stroke("fill", [[0.0, -0.4]], 0), walled)[0, :, :, 0]
    assert (found[:10] == 255).all()
    assert (found[10:] == walled[0, 10:, :, 0]).all()


def test_fill_outside_the_picture_changes_nothing() -> None:
    """Fill outside the picture changes no pixel."""
    assert (painted(BLACK, Stroke("fill", [[3.0, 0.0]], 0), BLACK) == BLACK).all()


def test_a_letter_stands_at_its_point() -> None:
    """A letter is drawn at its point with about the given height."""
    found = painted(BLACK, Stroke("letter", [[0.0, 0.0]], 0.25, "#ffffff", "H"), BLACK)
    rows = np.flatnonzero(found[0, :, :, 0].any(1))
    assert 8 <= len(rows) <= 18
    assert abs(rows.mean() - 15.5) < 4


def test_a_colour_that_is_none_is_refused() -> None:
    """An invalid colour is refused and the picture stays."""
    with pytest.raises(StudioError, match="expected a colour such as #d55e00, got 'loud'"):
        painted(BLACK, Stroke("brush", [[0, 0]], 0.1, "loud"), BLACK)


def test_undo_goes_back_one_whole_stroke() -> None:
    """Undo removes a whole stroke, also a stroke that came in pieces."""
    canvas = Canvas(load_target("ring", size=16))
    before = canvas.take()
    canvas.paint(Stroke("brush", [[0, 0]], 0.1), begins=True)
    canvas.paint(Stroke("brush", [[0.2, 0.2]], 0.1), begins=False)
    assert canvas.is_wet
    assert (canvas.take() != before).any()
    canvas.undo()
    assert (canvas.take() == before).all()
    with pytest.raises(StudioError, match="expected a stroke, got none"):
        canvas.undo()


@pytest.mark.parametrize(
    ("point", "pixel"),
    [((-0.5, -0.5), (0, 0)), ((0.5, 0.5), (31, 31)), ((-0.5 + 1 / 32, -0.5), (0, 1))],
)
def test_fill_reaches_the_pixels_at_the_edges(
    point: tuple[float, float], pixel: tuple[int, int]
) -> None:
    """Each edge of the picture belongs to its pixels, and each pixel begins at its left edge."""
    checks = np.zeros_like(BLACK)
    checks[0, :, :, 0] = (np.add.outer(np.arange(32), np.arange(32)) % 2) * 9
    found = painted(checks, Stroke("fill", [list(point)], 0, "#ffffff"), checks)
    assert np.argwhere(found[0, :, :, 0] == 255).tolist() == [list(pixel)]
