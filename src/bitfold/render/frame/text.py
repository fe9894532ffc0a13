"""Text that fits its box: in a shorter wording, a smaller size, or cut with an ellipsis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from bitfold.render.colours import INK, PAPER, Colour
from bitfold.render.frame.layout import Rect

# DejaVu Sans is illegible below this size.
SMALLEST_TEXT_PX: Final = 9
# Line height of DejaVu Sans over its size: ascent 0.928 and descent 0.236, rounded up.
LINE_HEIGHT: Final = 1.2
# Before a wording shrinks below this share of its size, a shorter wording is taken.
LEAST_SHRINK: Final = 0.75


@dataclass(frozen=True)
class FittedText:
    """A wording and the text size at which it fits.

    Args:
        text: one line.
        size_px: font size in pixels.
        is_bold: whether the font is bold.
    """

    text: str
    size_px: int
    is_bold: bool = False


class Typesetter:
    """Measures, fits and draws lines in DejaVu Sans, which matplotlib ships.

    Guarantees that nothing is drawn outside a box, and that equal calls draw equal pixels.

    >>> Typesetter().fitted(["prediction with folds", "folds"], 60, 20, 14).text
    'folds'
    """

    def __init__(self) -> None:
        self._folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self._fonts: dict[tuple[int, bool], ImageFont.FreeTypeFont] = {}

    def width_px(self, text: str, size_px: int, *, is_bold: bool = False) -> int:
        """Return the advance width of a line.

        Args:
            text: one line.
            size_px: font size in pixels.
            is_bold: whether the font is bold.

        Returns:
            Pixels, rounded up.

        >>> Typesetter().width_px("", 12)
        0
        """
        return math.ceil(self._font(size_px, is_bold).getlength(text))

    def fitted(
        self,
        variants: Sequence[str],
        width_px: int,
        height_px: int,
        size_px: int,
        *,
        is_bold: bool = False,
    ) -> FittedText:
        """Find a wording and a text size that fit a box.

        Args:
            variants: wordings from the longest, which is the best, to the shortest; at least one.
            width_px: width of the box.
            height_px: height of the box.
            size_px: largest text size.
            is_bold: whether the font is bold.

        Returns:
            The first wording that fits at three quarters of the size or more. If none does, the
            last wording, shrunk if it stays legible, then cut with an ellipsis.

        >>> Typesetter().fitted(["a long name of a run"], 60, 20, 12).text
        'a long na…'
        """
        tallest = max(1, min(size_px, int(height_px / LINE_HEIGHT)))
        smallest = min(tallest, SMALLEST_TEXT_PX)
        lines = [" ".join(variant.split()) for variant in variants]
        for position, line in enumerate(lines):
            is_last = position == len(lines) - 1
            least = smallest if is_last else max(smallest, math.ceil(LEAST_SHRINK * tallest))
            for size in range(tallest, least - 1, -1):
                if self.width_px(line, size, is_bold=is_bold) <= width_px:
                    return FittedText(line, size, is_bold)
        return FittedText(self._cut(lines[-1], width_px, smallest, is_bold), smallest, is_bold)

    def fitted_alike(
        self, headings: Sequence[Sequence[str]], width_px: int, height_px: int, size_px: int
    ) -> list[FittedText]:
        """Fit several headings so that all have the same text size and brevity.

        Args:
            headings: the wordings of each heading, the longest first.
            width_px: width of each box.
            height_px: height of each box.
            size_px: largest text size.

        Returns:
            One fitted line for each heading.

        >>> fitted = Typesetter().fitted_alike([["prediction", "p"], ["target"]], 44, 20, 12)
        >>> [(line.text, line.size_px) for line in fitted]
        [('p', 12), ('target', 12)]
        """
        tallest = max(1, min(size_px, int(height_px / LINE_HEIGHT)))
        least = max(min(tallest, SMALLEST_TEXT_PX), math.ceil(LEAST_SHRINK * tallest))
        for brevity in range(max(map(len, headings), default=0)):
            lines = [wordings[min(brevity, len(wordings) - 1)] for wordings in headings]
            for size in range(tallest, least - 1, -1):
                if all(self.width_px(line, size) <= width_px for line in lines):
                    return [FittedText(line, size) for line in lines]
        cut = [self.fitted(wordings[-1:], width_px, height_px, size_px) for wordings in headings]
        smallest = min((line.size_px for line in cut), default=size_px)
        return [FittedText(line.text, smallest) for line in cut]

    def draw(
        self,
        canvas: npt.NDArray[np.uint8],
        box: Rect,
        line: FittedText,
        *,
        colour: Colour = INK,
        is_centred: bool = False,
    ) -> None:
        """Draw a line into a box, on paper: vertically centred, from the left or centred.

        Args:
            canvas: uint8 (height, width, 3), changed in place, only within the box.
            box: the box; all of it is painted over.
            line: a line that was fitted to the box.
            colour: colour of the letters.
            is_centred: whether the line is horizontally centred.

        >>> canvas = np.zeros((20, 60, 3), np.uint8)
        >>> typesetter = Typesetter()
        >>> typesetter.draw(canvas, Rect(10, 0, 40, 20), typesetter.fitted(["fold"], 40, 20, 12))
        >>> int(canvas[:, :10].max()), tuple(canvas[0, 10].tolist()) == PAPER
        (0, True)
        """
        if not box.width or not box.height:
            return
        font = self._font(line.size_px, line.is_bold)
        ascent, descent = font.getmetrics()
        baseline = (box.height - ascent - descent) // 2 + ascent
        picture = Image.new("RGB", (box.width, box.height), PAPER)
        left = (box.width - math.ceil(font.getlength(line.text))) // 2 if is_centred else 0
        ImageDraw.Draw(picture).text((left, baseline), line.text, colour, font, anchor="ls")
        canvas[box.window] = np.asarray(picture)

    def _cut(self, line: str, width_px: int, size_px: int, is_bold: bool) -> str:
        for length in range(len(line) - 1, 0, -1):
            shorter = line[:length].rstrip() + "…"
            if self.width_px(shorter, size_px, is_bold=is_bold) <= width_px:
                return shorter
        return "…" if self.width_px("…", size_px, is_bold=is_bold) <= width_px else ""

    def _font(self, size_px: int, is_bold: bool) -> ImageFont.FreeTypeFont:
        key = (size_px, is_bold)
        if key not in self._fonts:
            name = "DejaVuSans-Bold.ttf" if is_bold else "DejaVuSans.ttf"
            # Every machine has the basic engine, and it draws the same pixels everywhere.
            self._fonts[key] = ImageFont.truetype(
                str(self._folder / name), size_px, layout_engine=ImageFont.Layout.BASIC
            )
        return self._fonts[key]
