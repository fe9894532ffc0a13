"""Positions of the panels, their titles and the legend in a frame."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# A frame should be legible when it fills a screen of this size.
SCREEN_WIDTH_PX: Final = 1920
SCREEN_HEIGHT_PX: Final = 1080
# Size of the text on that screen, and the smallest size in the frame itself.
TEXT_ON_SCREEN_PX: Final = 14
LEAST_TEXT_PX: Final = 12
# Largest text size as shares of a panel's width and height, so that titles keep some words.
LARGEST_WIDTH_SHARE: Final = 0.06
LARGEST_HEIGHT_SHARE: Final = 0.12
# Line spacing, and width of a column of the legend, relative to the text size.
LINE_SPACING: Final = 1.5
LEGEND_WIDTH: Final = 17.0
# A legend below the panels is read by rows; with more columns it is hard to follow.
MOST_LEGEND_COLUMNS: Final = 6
# Usually each slice is a row. Slices are columns only if panels are this many times larger then.
REARRANGING_GAIN: Final = 1.5
# Among layouts with panels of about the same size, we prefer panels side by side, which are easiest
# to compare, and then little empty paper.
ROW_DISCOUNT: Final = 0.95
FILLED_EXPONENT: Final = 0.1
# Rounds of fitting the text size and the layout to each other.
NUM_ROUNDS: Final = 3


@dataclass(frozen=True)
class Rect:
    """A rectangle of whole pixels.

    Args:
        x: first column.
        y: first row.
        width: number of columns, >= 0.
        height: number of rows, >= 0.

    >>> Rect(2, 3, 4, 5).overlaps(Rect(6, 3, 1, 1))
    False
    """

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column to the right of the rectangle."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below the rectangle."""
        return self.y + self.height

    @property
    def window(self) -> tuple[slice, slice]:
        """Its rows and columns as an index into a picture."""
        return slice(self.y, self.bottom), slice(self.x, self.right)

    def overlaps(self, other: "Rect") -> bool:
        """Return whether two rectangles share a pixel.

        >>> Rect(0, 0, 2, 2).overlaps(Rect(1, 1, 2, 2))
        True
        """
        return (
            max(self.x, other.x) < min(self.right, other.right)
            and max(self.y, other.y) < min(self.bottom, other.bottom)
        )  # fmt: skip

    def moved(self, dx: int, dy: int) -> "Rect":
        """Return the rectangle shifted by some pixels.

        >>> Rect(0, 0, 2, 2).moved(1, -1)
        Rect(x=1, y=-1, width=2, height=2)
        """
        return Rect(self.x + dx, self.y + dy, self.width, self.height)


@dataclass(frozen=True)
class PanelBox:
    """The rectangles of one panel and of its title.

    Args:
        title: rectangle of the title, above the picture.
        room: rectangle of the picture.
    """

    title: Rect
    room: Rect


@dataclass(frozen=True)
class FrameLayout:
    """All rectangles of a frame. None overlap, and all lie inside the frame.

    Args:
        width: width of the frame, even.
        height: height of the frame, even.
        text_px: text size.
        slices: the panels of each slice, in order.
        captions: rectangle of each slice's caption; its height is 0 if there are no captions.
        legend: rectangle of labels and values.
        legend_columns: number of columns of the legend, and of the key.
        key: rectangle where marks are explained.
    """

    width: int
    height: int
    text_px: int
    slices: tuple[tuple[PanelBox, ...], ...]
    captions: tuple[Rect, ...]
    legend: Rect
    legend_columns: int
    key: Rect


@dataclass(frozen=True)
class _Order:
    """What has to be placed, and one way to place it."""

    panel_width: int
    panel_height: int
    spans: tuple[int, ...]
    num_slices: int
    has_captions: bool
    num_pairs: int
    num_keys: int
    columns: int
    is_down: bool
    is_legend_right: bool


def arrange_frame(
    panel_width: int,
    panel_height: int,
    spans: Sequence[int],
    num_slices: int = 1,
    *,
    has_captions: bool = False,
    num_pairs: int = 16,
    num_keys: int = 3,
) -> FrameLayout:
    """Choose the layout whose panels are largest when the frame fills a screen.

    The panels of a single slice may take several rows. Of several slices, each is a row or a column
    of panels. The legend is to the right or below.

    Args:
        panel_width: pixels, >= 1.
        panel_height: pixels, >= 1.
        spans: for each panel of a slice its width, in panel widths, >= 1.
        num_slices: number of slices, >= 1.
        has_captions: whether each slice has a caption.
        num_pairs: number of lines that the legend has room for at full text size.
        num_keys: number of marks in the key.

    Returns:
        The layout; equal arguments give equal layouts.

    >>> layout = arrange_frame(1024, 1024, [1, 1, 1])
    >>> layout.width, layout.height
    (3168, 1300)
    """

    def fitted(columns: int, *, is_down: bool, is_legend_right: bool) -> FrameLayout:
        order = _Order(
            panel_width=panel_width, panel_height=panel_height, spans=tuple(spans),
            num_slices=num_slices, has_captions=has_captions, num_pairs=num_pairs,
            num_keys=num_keys, columns=columns, is_down=is_down, is_legend_right=is_legend_right,
        )  # fmt: skip
        return _fit_text(order)

    whole = sum(spans)
    sides = (True, False)
    rows = [fitted(whole, is_down=True, is_legend_right=side) for side in sides]
    if num_slices > 1:
        others = [
            fitted(1, is_down=is_down, is_legend_right=side) for is_down in sides for side in sides
        ]
        best_row, best_other = max(rows, key=_worth), max(others, key=_worth)
        is_better = _worth(best_other) > REARRANGING_GAIN * _worth(best_row)
        return best_other if is_better else best_row
    for columns in range(whole - 1, 0, -1):
        rows += [fitted(columns, is_down=True, is_legend_right=side) for side in sides]
    return max(rows, key=_worth)


def line_height(text_px: int) -> int:
    """Return the distance between lines of text.

    Args:
        text_px: text size.

    Returns:
        Pixels, even.

    >>> line_height(12)
    18
    """
    return _even(LINE_SPACING * text_px)


def _worth(layout: FrameLayout) -> float:
    """Rate a layout by the size of its panels on the screen; text that is too small costs."""
    scale = _screen_scale(layout)
    rooms = [box.room for boxes in layout.slices for box in boxes]
    filled = sum(room.width * room.height for room in rooms) / (layout.width * layout.height)
    legible = min(1.0, layout.text_px * scale / LEAST_TEXT_PX)
    num_rows = len({box.room.y for box in layout.slices[0]})
    return scale * legible * math.pow(ROW_DISCOUNT, num_rows) * math.pow(filled, FILLED_EXPONENT)


def _screen_scale(layout: FrameLayout) -> float:
    return min(SCREEN_WIDTH_PX / layout.width, SCREEN_HEIGHT_PX / layout.height)


def _fit_text(order: _Order) -> FrameLayout:
    share = min(LARGEST_WIDTH_SHARE * order.panel_width, LARGEST_HEIGHT_SHARE * order.panel_height)
    largest = max(LEAST_TEXT_PX, int(share))
    text_px = LEAST_TEXT_PX
    for _ in range(NUM_ROUNDS):
        layout = _build(order, text_px)
        wanted = math.ceil(TEXT_ON_SCREEN_PX / _screen_scale(layout))
        text_px = min(max(wanted, LEAST_TEXT_PX), largest)
    return _build(order, text_px)


def _build(order: _Order, text_px: int) -> FrameLayout:
    margin = _even(text_px)
    slices, captions, right, bottom = _place_slices(order, text_px, margin)
    line = line_height(text_px)
    column_width = _even(LEGEND_WIDTH * text_px)
    if order.is_legend_right:
        legend_columns, left, top = 1, right + 2 * margin, margin
        width = column_width
        key_height = order.num_keys * line
        bottom = max(bottom, top + order.num_pairs * line + margin + key_height)
        key = Rect(left, bottom - key_height, width, key_height)
        legend = Rect(left, top, width, key.y - margin - top)
    else:
        width = max(right - margin, column_width)
        legend_columns = _legend_columns(order, width, column_width)
        left, top = margin, bottom + margin
        rows = -(-order.num_pairs // legend_columns)
        legend = Rect(left, top, width, rows * line)
        key_rows = -(-order.num_keys // legend_columns)
        key = Rect(left, legend.bottom + margin, width, key_rows * line)
        bottom = key.bottom
    return FrameLayout(
        width=_even(legend.right + margin),
        height=_even(max(bottom, key.bottom) + margin),
        text_px=text_px,
        slices=slices,
        captions=captions,
        legend=legend,
        legend_columns=legend_columns,
        key=key,
    )


def _legend_columns(order: _Order, width: int, column_width: int) -> int:
    """As many columns as fit; if possible, the same number of columns below each panel."""
    most = max(1, min(MOST_LEGEND_COLUMNS, width // column_width))
    panels = width // order.panel_width
    return most - most % panels if panels <= most else most


def _place_slices(
    order: _Order, text_px: int, margin: int
) -> tuple[tuple[tuple[PanelBox, ...], ...], tuple[Rect, ...], int, int]:
    boxes, width, height = _place_panels(order, text_px)
    caption_height = line_height(text_px) if order.has_captions else 0
    gap = _even(text_px)
    slices, captions = [], []
    x = y = margin
    for _ in range(order.num_slices):
        captions.append(Rect(x, y, width, caption_height))
        top = y + caption_height
        slices.append(
            tuple(PanelBox(box.title.moved(x, top), box.room.moved(x, top)) for box in boxes)
        )
        right, bottom = x + width, top + height
        x, y = (x, bottom + gap) if order.is_down else (right + gap, y)
    return tuple(slices), tuple(captions), right, bottom


def _place_panels(order: _Order, text_px: int) -> tuple[list[PanelBox], int, int]:
    """Fill rows with the panels of one slice, as words fill lines."""
    gap, title = _even(text_px), line_height(text_px)
    pitch_x, pitch_y = order.panel_width + gap, title + order.panel_height + gap
    boxes: list[PanelBox] = []
    row = column = used = 0
    for wanted in order.spans:
        span = min(wanted, order.columns)
        if column + span > order.columns:
            row, column = row + 1, 0
        width = span * pitch_x - gap
        x, y = column * pitch_x, row * pitch_y
        boxes.append(
            PanelBox(Rect(x, y, width, title), Rect(x, y + title, width, order.panel_height))
        )
        column += span
        used = max(used, column)
    return boxes, used * pitch_x - gap, (row + 1) * pitch_y - gap


def _even(length: float) -> int:
    return 2 * math.ceil(length / 2)
