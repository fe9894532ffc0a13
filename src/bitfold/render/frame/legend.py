"""The legend of a frame, whose values change, and the key to its marks."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from bitfold.render.colours import BLACK, INK, MUTED, PAPER, RULE, WHITE, probability_colours
from bitfold.render.frame.layout import LINE_SPACING, FrameLayout, Rect, line_height
from bitfold.render.frame.panels import Mark
from bitfold.render.frame.text import SMALLEST_TEXT_PX, Typesetter

Pair = tuple[str, str]

# Largest share of a column for labels. Gaps and signs are relative to the text size.
LABEL_SHARE: Final = 0.55
LABEL_GAP: Final = 0.8
COLUMN_GAP: Final = 1.2
SIGN_WIDTH: Final = 2.0
DOTS_PER_PIXEL: Final = 8  # subsamples per side of a pixel, for smooth edges of dots


class Legend:
    """Labels and values in columns. Only values that changed are drawn again.

    Args:
        layout: layout of the frame.
        typesetter: draws the text.
    """

    def __init__(self, layout: FrameLayout, typesetter: Typesetter) -> None:
        self._rect = layout.legend
        self._columns = layout.legend_columns
        self._text_px = layout.text_px
        self._typesetter = typesetter
        self._drawn: list[Pair] | None = None
        self._boxes: list[tuple[Rect, Rect]] = []
        self._size_px = layout.text_px

    def draw(self, canvas: npt.NDArray[np.uint8], pairs: Sequence[Pair]) -> None:
        """Draw labels and values; if there are too many, the last line counts the missing ones.

        Args:
            canvas: uint8 (height, width, 3) with the last frame; only the legend is changed.
            pairs: label and value; a pair of empty texts makes a gap if there is one column.
        """
        # In several columns, a gap would look like a missing value.
        is_kept = [self._columns == 1 or label or value for label, value in pairs]
        shown = self._shortened([pair for pair, kept in zip(pairs, is_kept, strict=True) if kept])
        labels = [label for label, _ in shown]
        if self._drawn is None or [label for label, _ in self._drawn] != labels:
            canvas[self._rect.window] = PAPER
            self._place(labels)
            for (box, _), label in zip(self._boxes, labels, strict=True):
                self._write(canvas, box, label, is_label=True)
            self._drawn = [(label, "") for label in labels]
        for (_, box), (_, old), (_, value) in zip(self._boxes, self._drawn, shown, strict=True):
            if value != old:
                self._write(canvas, box, value, is_label=False)
        self._drawn = shown

    def _write(
        self, canvas: npt.NDArray[np.uint8], box: Rect, text: str, *, is_label: bool
    ) -> None:
        line = self._typesetter.fitted([text], box.width, box.height, self._size_px)
        self._typesetter.draw(canvas, box, line, colour=MUTED if is_label else INK)

    def _shortened(self, pairs: list[Pair]) -> list[Pair]:
        least_line = LINE_SPACING * SMALLEST_TEXT_PX
        most = max(1, int(self._rect.height / least_line)) * self._columns
        if len(pairs) <= most:
            return pairs
        return [*pairs[: most - 1], (f"… {len(pairs) - most + 1} more", "")]

    def _place(self, labels: Sequence[str]) -> None:
        """Give each pair two boxes; columns are filled from the top."""
        rows = max(1, -(-len(labels) // self._columns))
        line = min(line_height(self._text_px), self._rect.height // rows)
        size = max(1, min(self._text_px, int(line / LINE_SPACING)))
        self._size_px = size
        gap = int(COLUMN_GAP * size) if self._columns > 1 else 0
        pitch = (self._rect.width + gap) // self._columns
        width = pitch - gap
        widest = max((self._typesetter.width_px(label, size) for label in labels), default=0)
        label_width = min(widest, int(LABEL_SHARE * width))
        value_x = label_width + int(LABEL_GAP * size)
        self._boxes = []
        for number in range(len(labels)):
            x = self._rect.x + number // rows * pitch
            y = self._rect.y + number % rows * line
            self._boxes.append(
                (Rect(x, y, label_width, line), Rect(x + value_x, y, width - value_x, line))
            )


def draw_key(
    canvas: npt.NDArray[np.uint8],
    layout: FrameLayout,
    marks: Sequence[Mark],
    typesetter: Typesetter,
) -> None:
    """Draw the meaning of each mark, in as many columns as the legend has.

    Args:
        canvas: uint8 (height, width, 3), changed in place within the key.
        layout: layout of the frame.
        marks: lines of the key.
        typesetter: draws the text.

    >>> from bitfold.render.frame.layout import arrange_frame
    >>> layout = arrange_frame(64, 64, [1])
    >>> draw_key(np.zeros((layout.height, layout.width, 3), np.uint8), layout, [], Typesetter())
    """
    columns, text_px = layout.legend_columns, layout.text_px
    gap = int(COLUMN_GAP * text_px) if columns > 1 else 0
    pitch = (layout.key.width + gap) // columns
    rows = -(-len(marks) // columns)
    line = layout.key.height // max(1, rows)
    for number, mark in enumerate(marks):
        x = layout.key.x + number % columns * pitch
        y = layout.key.y + number // columns * line
        side = int(0.9 * text_px)
        sign = Rect(x, y + (line - side) // 2, int(SIGN_WIDTH * text_px), side)
        _draw_sign(canvas, sign, mark)
        offset = sign.width + int(LABEL_GAP * text_px)
        words = Rect(x + offset, y, pitch - gap - offset, line)
        fitted = typesetter.fitted(mark.wordings, words.width, words.height, text_px)
        typesetter.draw(canvas, words, fitted, colour=MUTED)


def _draw_sign(canvas: npt.NDArray[np.uint8], box: Rect, mark: Mark) -> None:
    window = canvas[box.window]
    if mark.sign == "probability":
        levels = np.linspace(0, 255, box.width).astype(np.uint8)
        window[:] = probability_colours()[levels]
    elif mark.sign == "colours":
        assert mark.colours is not None
        window[:] = mark.colours[np.arange(box.width) * len(mark.colours) // box.width]
    elif mark.sign == "boundary":
        _draw_ground(window)
        middle, reach = box.height // 2, max(1, box.height // 8)
        window[middle - 2 * reach : middle + 2 * reach] = WHITE
        window[middle - reach : middle + reach] = BLACK
    elif mark.sign == "fold":
        half, middle = box.width // 2, box.height // 2
        thickness = max(1, box.height // 10)
        _draw_ground(window)
        across = window[middle - thickness // 2 : middle - thickness // 2 + thickness]
        across[:, :half] = mark.colour or WHITE
        across[:, half:] = mark.colour or BLACK
    else:
        _draw_dot(window, mark.colour or INK)


def _draw_ground(window: npt.NDArray[np.uint8]) -> None:
    """Fill a window with a dark and a light half, and frame it."""
    half = window.shape[1] // 2
    window[:, :half], window[:, half:] = BLACK, WHITE
    window[[0, -1]] = RULE
    window[:, [0, -1]] = RULE


def _draw_dot(window: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> None:
    """Draw a disc with a dark outline in the middle of a window, averaged over subsamples."""
    height, width = window.shape[:2]
    rows, columns = np.mgrid[: height * DOTS_PER_PIXEL, : width * DOTS_PER_PIXEL]
    scale = 1 / DOTS_PER_PIXEL
    distance = np.hypot((rows + 0.5) * scale - height / 2, (columns + 0.5) * scale - width / 2)
    radius = 0.36 * height
    outline = max(1.0, 0.22 * radius)
    shares = []
    for limit in (radius, radius + outline):
        blocks = (distance <= limit).reshape(height, DOTS_PER_PIXEL, width, DOTS_PER_PIXEL)
        shares.append(blocks.mean(axis=(1, 3))[..., None])
    inner, outer = shares
    paper = np.array(PAPER) * (1 - outer)
    dark = np.array(INK) * (outer - inner)
    window[:] = np.rint(paper + dark + np.array(colour) * inner).astype(np.uint8)
