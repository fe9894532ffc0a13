"""The panels of a regression: prediction with folds, prediction, target with points."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from bitfold.render.colours import FOLD_COLOUR
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
from bitfold.render.frame.scene import Scene, Slice
from bitfold.render.frame.target_panel import draw_points, scaled

HEADINGS: Final = (
    Heading(("prediction with folds", "with folds", "folds")),
    Heading(("prediction", "predicted")),
    Heading(("target with points", "target")),
)
SMOOTHED_HEADING: Final = Heading(
    ("kernel smoothing of the points", "kernel smoothing", "smoothed", "kernel")
)


class RegressionPanels(PanelSet):
    """Panels of a network whose output is grey or RGB.

    Args:
        panel_width: pixels.
        panel_height: pixels.
        has_smoothed: whether a fourth panel shows the kernel smoothing.
        view: what the panel with folds shows.
    """

    def __init__(
        self, panel_width: int, panel_height: int, *, has_smoothed: bool, view: View
    ) -> None:
        self._has_smoothed, self.view = has_smoothed, view
        self._size = (panel_height, panel_width)
        self._values = np.empty((panel_height, panel_width, 3), dtype=np.float32)

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The headings of the panels, in order."""
        headings = HEADINGS
        if self.view.headings:
            headings = (Heading(self.view.headings), *HEADINGS[1:])
        return (*headings, SMOOTHED_HEADING) if self._has_smoothed else headings

    def marks(self, num_outputs: int) -> tuple[Mark, ...]:
        """Return the lines of the key; folds over RGB are black or white, by contrast."""
        plain = Mark(("fold",), "fold", FOLD_COLOUR if num_outputs == 1 else None)
        return (*(self.view.marks or (plain,)), *self.view.more_marks, *POINT_MARKS)

    @property
    def num_outputs(self) -> tuple[int, ...]:
        """1 for grey, 3 for RGB."""
        return (1, 3)

    @property
    def fold_panel(self) -> int:
        """The first panel."""
        return 0

    def draw_scene(self, canvas: Picture, boxes: Sequence[PanelBox], scene: Scene) -> None:
        """Draw the target with points and, if there is one, the kernel smoothing."""
        height, width = self._size
        panel = canvas[boxes[2].room.window]
        panel[:] = scaled(scene.picture, width, height)
        draw_points(panel, scene)
        if scene.smoothed is not None:
            canvas[boxes[3].room.window] = scaled(scene.smoothed, width, height)

    def draw_slice(self, canvas: Picture, boxes: Sequence[PanelBox], piece: Slice) -> None:
        """Draw the prediction, without and with folds."""
        plain, folded = canvas[boxes[1].room.window], canvas[boxes[0].room.window]
        is_grey = piece.values.shape[2] == 1
        if is_grey:
            grey = self._bytes(piece.values[..., 0])
            for channel in range(3):
                plain[..., channel] = grey
        else:
            plain[:] = self._bytes(piece.values)
        folded[:] = plain
        draw_ground(folded, piece)
        draw_lines(folded, piece, FOLD_COLOUR if is_grey and piece.ground is None else None)

    def _bytes(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Clip to [0, 1] and round to bytes, in one buffer that is reused."""
        buffer = self._values.reshape(-1)[: values.size].reshape(values.shape)
        # A network that diverged may have any output, and drawing must go on.
        with np.errstate(over="ignore", invalid="ignore"):
            np.multiply(values, np.float32(255), out=buffer)
        # Unlike clip, fmax and fmin replace NaN by the bound.
        np.fmax(buffer, np.float32(0), out=buffer)
        np.fmin(buffer, np.float32(255), out=buffer)
        np.rint(buffer, out=buffer)
        return buffer.astype(np.uint8)
