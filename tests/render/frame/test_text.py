"""Text that fits its box."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitfold.render.colours import PAPER
from bitfold.render.frame.layout import Rect
from bitfold.render.frame.text import SMALLEST_TEXT_PX, Typesetter


@pytest.fixture(scope="module")
def typesetter() -> Typesetter:
    """One typesetter, whose fonts are loaded once."""
    return Typesetter()


@given(
    text=st.text(max_size=40), width=st.integers(0, 200), height=st.integers(1, 40),
    size=st.integers(1, 60),
)  # fmt: skip
def test_fitted_text_fits(text: str, width: int, height: int, size: int) -> None:
    """A fitted line is never wider or taller than its box."""
    typesetter = Typesetter()
    line = typesetter.fitted([text], width, height, size)
    assert typesetter.width_px(line.text, line.size_px) <= width
    assert line.size_px <= max(1, min(size, height))


def test_nothing_is_drawn_outside_the_box(typesetter: Typesetter) -> None:
    """A long line in a small box changes no pixel around the box."""
    canvas = np.zeros((40, 120, 3), dtype=np.uint8)
    box = Rect(10, 10, 60, 16)
    line = typesetter.fitted(["a rather long label"], box.width, box.height, 30)
    typesetter.draw(canvas, box, line)
    outside = np.ones(canvas.shape[:2], dtype=np.bool_)
    outside[box.window] = False
    assert not canvas[outside].any()
    ink = (canvas[box.window] != PAPER).any(axis=-1)
    assert ink.any()
    # No letter is cut at the box's edge.
    assert not ink[[0, -1]].any()


def test_short_wording_is_preferred_to_tiny_letters(typesetter: Typesetter) -> None:
    """The next wording is taken before the first one shrinks below three quarters."""
    assert typesetter.fitted(["prediction with folds", "folds"], 60, 30, 16).text == "folds"
    assert typesetter.fitted(["prediction with folds", "folds"], 400, 30, 16).size_px == 16


def test_last_resort_is_an_ellipsis_at_a_legible_size(typesetter: Typesetter) -> None:
    """A word that does not fit at the smallest legible size is cut."""
    line = typesetter.fitted(["misclassification"], 50, 30, 16)
    assert line.text.endswith("…")
    assert line.text.startswith("misc")
    assert line.size_px == SMALLEST_TEXT_PX


def test_headings_share_size_and_brevity(typesetter: Typesetter) -> None:
    """One heading that is too long shortens all of them."""
    headings = [["prediction with folds", "folds"], ["target with points", "target"]]
    lines = typesetter.fitted_alike(headings, 60, 20, 12)
    assert [line.text for line in lines] == ["folds", "target"]
    assert len({line.size_px for line in lines}) == 1


def test_line_breaks_become_spaces(typesetter: Typesetter) -> None:
    """A line break in a label becomes a space."""
    assert typesetter.fitted(["two\nlines"], 200, 20, 12).text == "two lines"
