"""Panels with the folds of one layer each, over the prediction."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bitfold.render.colours import PAPER
from bitfold.render.frame.layout import PanelBox, Rect
from bitfold.render.frame.panels import Heading, Mark, PanelSet, Picture
from bitfold.render.frame.scene import Scene, Slice

# Opacity of the prediction under the folds.
GROUND_SHARE: Final = 0.3


class LayerPanels(PanelSet):
    """Repeats the panel with folds of another set of panels, once for each layer.

    Args:
        whole: the panels of the task; their view names the layers.
    """

    def __init__(self, whole: PanelSet) -> None:
        self._whole, self.view = whole, whole.view
        self._canvas = np.zeros((0, 0, 3), np.uint8)
        self._boxes: list[PanelBox] = []

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The names of the layers."""
        return tuple(Heading((name, name.split(",")[0])) for name in self.view.layers)

    def marks(self, num_outputs: int) -> tuple[Mark, ...]:
        """The marks of further lines; the headings already name the layer of the folds."""
        return self.view.more_marks

    @property
    def num_outputs(self) -> tuple[int, ...]:
        """The numbers of outputs that the task's panels can show."""
        return self._whole.num_outputs

    @property
    def fold_panel(self) -> int:
        """The panel of the last layer."""
        return len(self.view.layers) - 1

    def draw_scene(self, canvas: Picture, boxes: Sequence[PanelBox], scene: Scene) -> None:
        """Draw nothing; allocate a canvas for the task's panels, of which one is copied."""
        room = boxes[0].room
        count = len(self._whole.headings)
        self._boxes = [
            PanelBox(Rect(0, 0, 0, 0), Rect(number * room.width, 0, room.width, room.height))
            for number in range(count)
        ]
        self._canvas = np.zeros((room.height, count * room.width, 3), np.uint8)

    def draw_slice(self, canvas: Picture, boxes: Sequence[PanelBox], piece: Slice) -> None:
        """Draw each layer's folds over a faint prediction."""
        plain = Slice(piece.values, np.zeros(piece.values.shape[:2], np.bool_), piece.ground)
        self._whole.draw_slice(self._canvas, self._boxes, plain)
        shown = self._canvas[self._boxes[self._whole.fold_panel].room.window]
        ground = np.array(PAPER) * (1 - GROUND_SHARE) + shown * GROUND_SHARE
        faint = np.rint(ground).astype(np.uint8)
        for box, overlay in zip(boxes, piece.layers, strict=True):
            panel = canvas[box.room.window]
            panel[:] = faint
            overlay.draw(panel)
            for line in piece.boundary:
                line.draw(panel)
