"""Many classes' outputs in the room of one or two panels."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bitfold.render.colours import RULE
from bitfold.render.frame.layout import PanelBox, Rect
from bitfold.render.frame.text import LINE_HEIGHT, SMALLEST_TEXT_PX, Typesetter

# Labels are this share of the title's height, and go where a cell is so many labels high.
LABEL_SHARE: Final = 0.65
LEAST_CELL_HEIGHT: Final = 2.0
LEAST_CELL_WIDTH: Final = 2.4
# Cells stand this share of the room's shorter side apart.
GAP_SHARE: Final = 0.015


@dataclass(frozen=True)
class ClassGrid:
    """The cells of a grid and the labels above them; none overlap.

    Args:
        cells: one a class, all of one size.
        labels: one a class, or none where there is no room for words.
    """

    cells: tuple[Rect, ...]
    labels: tuple[Rect, ...]

    def draw_labels(
        self,
        canvas: npt.NDArray[np.uint8],
        typesetter: Typesetter,
        colours: npt.NDArray[np.uint8],
    ) -> None:
        """Write each class's number beside its colour.

        Args:
            canvas: uint8 (height, width, 3), changed in place within the labels.
            typesetter: what sets the numbers.
            colours: uint8 (K, 3), as they are shown.

        >>> canvas = np.zeros((2, 2, 3), np.uint8)
        >>> ClassGrid((), ()).draw_labels(canvas, Typesetter(), canvas[0])
        """
        for number, (label, colour) in enumerate(zip(self.labels, colours, strict=False)):
            side = int(0.6 * label.height)
            top = label.y + (label.height - side) // 2
            words = Rect(
                label.x + side + side // 2, label.y, label.width - side - side // 2, label.height
            )
            size_px = int(label.height / LINE_HEIGHT)
            line = typesetter.fitted([str(number)], words.width, words.height, size_px)
            typesetter.draw(canvas, words, line)
            canvas[top : top + side, label.x : label.x + side] = RULE
            canvas[top + 1 : top + side - 1, label.x + 1 : label.x + side - 1] = colour


def arrange_class_grid(box: PanelBox, num_classes: int, aspect: float) -> ClassGrid:
    """Divide a room into cells as large as can be, with labels where they are legible.

    Args:
        box: the room, and the title that says how large text is.
        num_classes: how many cells, >= 1.
        aspect: width over height of a panel, which every cell keeps as nearly as pixels allow.

    Returns:
        Cells in reading order.

    >>> box = PanelBox(Rect(0, 0, 64, 18), Rect(0, 18, 64, 64))
    >>> grid = arrange_class_grid(box, 4, 1.0)
    >>> [(cell.x, cell.y, cell.width) for cell in grid.cells], grid.labels
    ([(0, 18, 31), (33, 18, 31), (0, 51, 31), (33, 51, 31)], ())
    """
    label_height = max(int(SMALLEST_TEXT_PX * LINE_HEIGHT) + 2, int(LABEL_SHARE * box.title.height))
    labelled = _divide(box.room, num_classes, aspect, label_height)
    cell = labelled.cells[0]  # of no size where labels leave no room for it
    is_legible = (
        cell.height >= LEAST_CELL_HEIGHT * label_height
        and cell.width >= LEAST_CELL_WIDTH * label_height
    )
    return labelled if is_legible else _divide(box.room, num_classes, aspect, 0)


def _divide(room: Rect, num_classes: int, aspect: float, label_height: int) -> ClassGrid:
    gap = max(2, int(GAP_SHARE * min(room.width, room.height)))
    columns, width, height = _largest_cell(room, num_classes, aspect, label_height, gap)
    if not width:
        # So many cells in so small a room touch each other.
        gap = 0
        columns, width, height = _largest_cell(room, num_classes, aspect, label_height, gap)
    cells, labels = [], []
    for number in range(num_classes):
        x = room.x + number % columns * (width + gap)
        y = room.y + number // columns * (height + label_height + gap)
        labels.append(Rect(x, y, width, label_height))
        cells.append(Rect(x, y + label_height, width, height))
    return ClassGrid(tuple(cells), tuple(labels) if label_height else ())


def _largest_cell(
    room: Rect, num_classes: int, aspect: float, label_height: int, gap: int
) -> tuple[int, int, int]:
    """The number of columns that makes cells largest, and their size; 0 x 0 if none fits."""
    best = (0, 1, 0, 0)
    for columns in range(1, num_classes + 1):
        rows = -(-num_classes // columns)
        free_width = (room.width - (columns - 1) * gap) // columns
        free_height = (room.height - (rows - 1) * gap) // rows - label_height
        width = min(free_width, int(free_height * aspect))
        height = min(free_height, round(width / aspect))
        if width > 0 and height > 0:
            best = max(best, (width * height, columns, width, height))
    return best[1:]
