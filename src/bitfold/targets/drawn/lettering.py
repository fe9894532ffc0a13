"""Letters drawn in a font that a dependency carries, so that no system font is needed."""

import math
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bitfold.errors import TargetError

MAX_LETTERS = 64
FONT_FILE = Path("fonts") / "ttf" / "DejaVuSans-Bold.ttf"
MARGIN = 0.06  # of the longer side, on each side
MIN_SIDE_PX = 8
REFERENCE_FONT_SIZE = 512


def draw_letters(letters: str, size: int) -> NDArray[np.uint8]:
    """Draw white letters on black, as large as the picture allows.

    The font is DejaVu Sans Bold, which Matplotlib carries.

    Args:
        letters: 1 to 64 letters, at least one of them not a space.
        size: the longer side in pixels; the other fits the letters, and is at least 8.

    Returns:
        (height, width, 1) grey with smooth edges.

    Raises:
        TargetError: there are no letters, too many, or one that the font lacks.

    >>> draw_letters("AB", 64).shape[1]
    64
    """
    path = Path(matplotlib.get_data_path()) / FONT_FILE
    _check_letters(letters, path)
    # Metrics of an outline font grow linearly with its size; the size that fits follows from one.
    left, top, right, bottom = _font(path, REFERENCE_FONT_SIZE).getbbox(letters)
    room = size * (1 - 2 * MARGIN)
    font = _font(path, room * REFERENCE_FONT_SIZE / max(right - left, bottom - top))
    left, top, right, bottom = font.getbbox(letters)
    width, height = right - left, bottom - top
    shorter = math.ceil(min(width, height) + 2 * MARGIN * size)
    shorter = max(MIN_SIDE_PX, min(size, shorter))
    sides = (size, shorter) if width >= height else (shorter, size)
    picture = Image.new("L", sides, 0)
    origin = ((sides[0] - width) / 2 - left, (sides[1] - height) / 2 - top)
    ImageDraw.Draw(picture).text(origin, letters, fill=255, font=font)
    return np.array(picture, np.uint8)[..., None]


def _font(path: Path, size: float) -> ImageFont.FreeTypeFont:
    # The basic layout is the same on machines with and without the raqm library.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def _check_letters(letters: str, path: Path) -> None:
    """Refuse text without letters, or with one that the font would draw as an empty box."""
    if not letters.strip():
        raise TargetError(
            f"Cannot draw text {letters!r}: expected at least one letter, got none. "
            "Write for example text:AB."
        )
    if len(letters) > MAX_LETTERS:
        raise TargetError(
            f"Cannot draw text: expected at most {MAX_LETTERS} letters, got {len(letters)}. "
            "Use a shorter text."
        )
    known = FT2Font(str(path)).get_charmap()
    for letter in letters:
        if ord(letter) not in known:
            raise TargetError(
                f"Cannot draw text: expected letters of DejaVu Sans Bold, got {letter!r}. "
                "Leave it out."
            )
