"""The outputs of many classes in the room of one or two panels."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bitfold.render.colours import RULE
from bitfold.render.frame.layout import PanelBox, Rect
from bitfold.render.frame.text import LINE_HEIGHT, SMALLEST_TEXT_PX, Typesetter

# Height of a label relative to the title. Labels are drawn if cells have at least this height and
# width, in heights of a label.
LABEL_SHARE: Final = 0.65
LEAST_CELL_HEIGHT: Final = 2.0
LEAST_CELL_WIDTH: Final = 2.4
# Gap between cells, relative to the shorter side of the room.
GAP_SHARE: Final = 0.015


@dataclass(frozen=True)
class ClassGrid:
    """The cells of a grid and the labels above them; none overlap.

    Args:
        cells: one cell for each class, all of the same size.
        labels: one label for each class, or none if there is no room for text.
    """

    cells: tuple[Rect, ...]
    labels: tuple[Rect, ...]

    def draw_labels(
        self,
        canvas: npt.NDArray[np.uint8],
        typesetter: Typesetter,
        colours: npt.NDArray[np.uint8],
    ) -> None:
        """Draw each class's number beside its colour.

        Args:
            canvas: uint8 (height, width, 3), changed in place, only within the labels.
            typesetter: draws the numbers.
            colours: uint8 (K, 3), the displayed colours of the classes.

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
    """Divide a room into the largest possible cells, with labels if they are legible.

    Args:
        box: the room to divide, and the title, whose height determines the text size.
        num_classes: number of cells, >= 1.
        aspect: width over height of a panel, which cells have too, up to rounding.

    Returns:
        The grid, with cells in reading order.

    >>> box = PanelBox(Rect(0, 0, 64, 18), Rect(0, 18, 64, 64))
    >>> grid = arrange_class_grid(box, 4, 1.0)
    >>> [(cell.x, cell.y, cell.width) for cell in grid.cells], grid.labels
    ([(0, 18, 31), (33, 18, 31), (0, 51, 31), (33, 51, 31)], ())
    """
    label_height = max(int(SMALLEST_TEXT_PX * LINE_HEIGHT) + 2, int(LABEL_SHARE * box.title.height))
    labelled = _divide(box.room, num_classes, aspect, label_height)
    cell = labelled.cells[0]  # of size 0 if labels leave no room for cells
    is_legible = (
        cell.height >= LEAST_CELL_HEIGHT * label_height
        and cell.width >= LEAST_CELL_WIDTH * label_height
    )
    return labelled if is_legible else _divide(box.room, num_classes, aspect, 0)


def _divide(room: Rect, num_classes: int, aspect: float, label_height: int) -> ClassGrid:
    gap = max(2, int(GAP_SHARE * min(room.width, room.height)))
    columns, width, height = _largest_cell(room, num_classes, aspect, label_height, gap)
    if not width:
        # With gaps, no cell would fit.
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
    """Find the number of columns with the largest cells, and their size; 0 x 0 if none fits."""
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
