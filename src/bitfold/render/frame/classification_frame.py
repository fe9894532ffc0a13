"""The panels of a classification: class outputs, predicted classes, target with points."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from bitfold.render.colours import Colour, probability_colours
from bitfold.render.frame.class_grid import ClassGrid, arrange_class_grid
from bitfold.render.frame.layout import PanelBox
from bitfold.render.frame.panels import (
    POINT_MARKS,
    Heading,
    Mark,
    PanelSet,
    Picture,
    View,
    draw_ground,
    draw_lines,
)
from bitfold.render.frame.regression_frame import SMOOTHED_HEADING
from bitfold.render.frame.scene import Scene, Slice
from bitfold.render.frame.target_panel import centres, class_picture, draw_points, scaled
from bitfold.render.frame.text import Typesetter
from bitfold.targets.classes import display_class_colours

Floats: TypeAlias = npt.NDArray[np.float32]

# Up to this many classes have a panel each; more share the room of one or two panels.
MOST_CLASS_PANELS: Final = 3
MOST_CLASSES_IN_ONE_ROOM: Final = 16
# Rows are processed in chunks of about this many values, so that they stay in the cache.
VALUES_AT_A_TIME: Final = 1 << 17


class ClassificationPanels(PanelSet):
    """Panels of a network with one logit for each class.

    Args:
        panel_width: pixels.
        panel_height: pixels.
        class_colours: uint8 (K, 3), colours of the classes in the picture.
        has_smoothed: whether a last panel shows the kernel smoothing.
        view: what the panel with folds shows.
    """

    def __init__(
        self,
        panel_width: int,
        panel_height: int,
        class_colours: npt.NDArray[np.uint8],
        *,
        has_smoothed: bool,
        view: View,
    ) -> None:
        self.view = view
        self._size = (panel_height, panel_width)
        self._own_colours, self._colours = class_colours, display_class_colours(class_colours)
        self._probability_colours = probability_colours()
        self._has_smoothed = has_smoothed
        self._num_classes = len(class_colours)
        self._predicted = np.zeros(self._size, dtype=np.uint8)

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The headings of the panels, in order."""
        last = (SMOOTHED_HEADING,) if self._has_smoothed else ()
        return (
            *self._output_headings(),
            Heading(("predicted classes", "predicted")),
            Heading(self.view.headings or ("predicted classes with folds", "with folds", "folds")),
            Heading(("target with points", "target")),
            *last,
        )

    def marks(self, num_outputs: int) -> tuple[Mark, ...]:
        """Return the lines of the key."""
        probability = Mark(("class output 0 to 1", "output 0 to 1", "output"), "probability")
        folds = self.view.marks or (Mark(("fold",), "fold"),)
        return (probability, *folds, *self.view.more_marks, *POINT_MARKS)

    @property
    def num_outputs(self) -> tuple[int, ...]:
        """The number of classes."""
        return (self._num_classes,)

    @property
    def fold_panel(self) -> int:
        """The panel after the plain predicted classes."""
        return len(self._output_headings()) + 1

    def draw_scene(self, canvas: Picture, boxes: Sequence[PanelBox], scene: Scene) -> None:
        """Draw the target with points, the kernel smoothing, and labels if classes are many."""
        height, width = self._size
        first = len(self._output_headings())
        panel = canvas[boxes[first + 2].room.window]
        panel[:] = class_picture(scene, width, height)
        draw_points(panel, scene)
        if scene.smoothed is not None:
            shown = self._displayed(scene.smoothed)
            canvas[boxes[first + 3].room.window] = scaled(shown, width, height)
        if self._num_classes > MOST_CLASS_PANELS:
            self._grid(boxes[0]).draw_labels(canvas, Typesetter(), self._colours)

    def draw_slice(self, canvas: Picture, boxes: Sequence[PanelBox], piece: Slice) -> None:
        """Draw each class's probability, and predicted classes without and with folds."""
        first = len(self._output_headings())
        own_panels = [canvas[box.room.window] for box in boxes[:first]]
        has_own_panels = self._num_classes <= MOST_CLASS_PANELS
        for rows, planes in self._chunks(piece.values):
            self._predicted[rows] = _largest(planes)
            if has_own_panels:
                for panel, levels in zip(own_panels, _probability_levels(planes), strict=True):
                    panel[rows] = np.take(self._probability_colours, levels, axis=0, mode="clip")
        if not has_own_panels:
            self._draw_cells(canvas, boxes[0], piece.values)
        plain = canvas[boxes[first].room.window]
        folded = canvas[boxes[first + 1].room.window]
        plain[:] = np.take(self._colours, self._predicted, axis=0, mode="clip")
        folded[:] = plain
        draw_ground(folded, piece)
        draw_lines(folded, piece, None)

    def _displayed(self, picture: Picture) -> Picture:
        """Replace the colours that classes have in the picture by the displayed ones."""
        shown = picture.copy()
        for own, colour in zip(self._own_colours, self._colours, strict=True):
            shown[(picture == own).all(2)] = colour
        return shown

    def _output_headings(self) -> tuple[Heading, ...]:
        if self._num_classes > MOST_CLASS_PANELS:
            span = 1 if self._num_classes <= MOST_CLASSES_IN_ONE_ROOM else 2
            return (Heading(("class outputs", "outputs"), span, is_framed=False),)
        swatches: list[Colour] = [(int(r), int(g), int(b)) for r, g, b in self._colours]
        return tuple(
            Heading((f"output of class {number}", f"class {number}", str(number)), swatch=swatch)
            for number, swatch in enumerate(swatches)
        )

    def _draw_cells(self, canvas: Picture, box: PanelBox, values: Floats) -> None:
        cells = self._grid(box).cells
        rows = centres(cells[0].height, values.shape[0])
        columns = centres(cells[0].width, values.shape[1])
        levels = _probability_levels(np.moveaxis(values[rows[:, None], columns], 2, 0).copy())
        for cell, level in zip(cells, levels, strict=True):
            canvas[cell.window] = self._probability_colours[level]

    def _chunks(self, values: Floats) -> Iterator[tuple[slice, Floats]]:
        """Yield rows in chunks, as contiguous planes (classes, rows, columns)."""
        height, width, num_classes = values.shape
        num_rows = max(1, VALUES_AT_A_TIME // (width * num_classes))
        for start in range(0, height, num_rows):
            rows = slice(start, min(start + num_rows, height))
            yield rows, np.ascontiguousarray(np.moveaxis(values[rows], 2, 0))

    def _grid(self, box: PanelBox) -> ClassGrid:
        height, width = self._size
        return arrange_class_grid(box, self._num_classes, width / height)


def _largest(planes: Floats) -> npt.NDArray[np.uint8]:
    """Return the first class with the largest logit; faster than argmax along the first axis."""
    best = planes[0].copy()
    predicted = np.zeros(best.shape, dtype=np.uint8)
    for number in range(1, len(planes)):
        predicted[planes[number] > best] = number
        np.fmax(best, planes[number], out=best)
    return predicted


def _probability_levels(planes: Floats) -> npt.NDArray[np.uint8]:
    """Turn logits (classes, ...), in place, into 255 times their softmax, rounded."""
    # An infinite or NaN logit has no probability; it is drawn as 0, without a warning.
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        planes -= planes.max(axis=0)
        np.exp(planes, out=planes)
        planes *= np.float32(255) / planes.sum(axis=0)
    np.fmin(np.fmax(planes, np.float32(0), out=planes), np.float32(255), out=planes)
    return np.rint(planes, out=planes).astype(np.uint8)
