"""Frames: panels with titles, a legend, and a key."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from bitfold.errors import RenderError
from bitfold.render.colours import INK, MUTED, PAPER, RULE
from bitfold.render.frame.classification_frame import ClassificationPanels
from bitfold.render.frame.layer_panels import LayerPanels
from bitfold.render.frame.layout import FrameLayout, Rect, arrange_frame
from bitfold.render.frame.legend import Legend, draw_key
from bitfold.render.frame.panels import Heading, PanelSet, View
from bitfold.render.frame.regression_frame import RegressionPanels
from bitfold.render.frame.scene import Scene, Slice, Task
from bitfold.render.frame.text import FittedText, Typesetter

SMALLEST_PANEL_PX: Final = 16
LARGEST_PANEL_PX: Final = 8192
# The number of a predicted class is stored in a byte.
MOST_CLASSES: Final = 256
# Thickness of the line around a panel, relative to the text size.
RULE_SHARE: Final = 1 / 16


class FramePainter:
    """Paints the frames of one run. Parts that never change are drawn only once.

    Args:
        scenes: the constant content, one scene for each slice; all have smoothed points, or none.
        panel_width: pixels of one panel, 16 to 8192.
        panel_height: pixels of one panel, 16 to 8192.
        task: decides which panels there are.
        view: what the panel with folds shows; if it names layers, each gets a panel, and no others.
        num_pairs: number of lines that the legend has room for at full text size.

    Raises:
        RenderError: there is no scene, a panel's size is out of bounds, or a classification has no
            class colours.

    Guarantees that all frames have the same, even size, that equal input gives equal pixels, and
    that no text is drawn into a panel.

    >>> none = np.zeros((0, 2))
    >>> scene = Scene(np.zeros((64, 64, 3), np.uint8), none, none)
    >>> painter = FramePainter([scene], panel_width=64, panel_height=64, task="regression")
    >>> white = Slice(np.ones((64, 64, 1), np.float32), np.zeros((64, 64), np.bool_))
    >>> frame = painter.paint([white], [("epoch", "1")])
    >>> room = painter.layout.slices[0][1].room
    >>> frame.shape == (painter.height, painter.width, 3), int(frame[room.window].min())
    (True, 255)
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        *,
        panel_width: int,
        panel_height: int,
        task: Task,
        view: View = View(),  # noqa: B008 - frozen
        num_pairs: int = 16,
    ) -> None:
        _check_size(panel_width, panel_height)
        self._panel_shape = (panel_height, panel_width)
        self._panels = _panel_set(scenes, panel_width, panel_height, task, view)
        headings = self._panels.headings
        self._layout = arrange_frame(
            panel_width,
            panel_height,
            [heading.span for heading in headings],
            len(scenes),
            has_captions=any(scene.caption for scene in scenes),
            num_pairs=num_pairs,
            num_keys=len(self._panels.marks(self._panels.num_outputs[0])),
        )
        self._typesetter = Typesetter()
        self._legend = Legend(self._layout, self._typesetter)
        shape = (self._layout.height, self._layout.width, 3)
        self._canvas = np.full(shape, PAPER, dtype=np.uint8)
        # The key shows how folds are drawn, which depends on the number of outputs.
        self._num_outputs_in_key = 0
        self._draw_static(scenes, headings)

    @property
    def layout(self) -> FrameLayout:
        """The positions of panels, legend and key."""
        return self._layout

    @property
    def width(self) -> int:
        """Width of every frame, in pixels; even."""
        return self._layout.width

    @property
    def height(self) -> int:
        """Height of every frame, in pixels; even."""
        return self._layout.height

    def fold_panels(self) -> npt.NDArray[np.uint8]:
        """Return the panels with folds of the last frame, side by side.

        Returns:
            uint8 (panel height, slices * panel width, 3), a copy.
        """
        boxes = [boxes[self._panels.fold_panel] for boxes in self._layout.slices]
        return np.concatenate([self._canvas[box.room.window] for box in boxes], axis=1)

    def paint(
        self, slices: Sequence[Slice], legend: Sequence[tuple[str, str]]
    ) -> npt.NDArray[np.uint8]:
        """Paint one frame.

        Args:
            slices: the network's output, one slice for each scene, at the panel's resolution.
            legend: label and value of each line; a pair of empty texts makes a gap.

        Returns:
            uint8 (height, width, 3), RGB. This is the painter's canvas, which the next call
            overwrites: encode it first, or copy it.

        Raises:
            RenderError: the number or the shape of slices does not match the scenes.
        """
        self._check(slices)
        num_outputs = slices[0].values.shape[2]
        if num_outputs != self._num_outputs_in_key:
            marks = self._panels.marks(num_outputs)
            draw_key(self._canvas, self._layout, marks, self._typesetter)
            self._num_outputs_in_key = num_outputs
        for boxes, piece in zip(self._layout.slices, slices, strict=True):
            self._panels.draw_slice(self._canvas, boxes, piece)
        self._legend.draw(self._canvas, legend)
        return self._canvas

    def _check(self, slices: Sequence[Slice]) -> None:
        if len(slices) != len(self._layout.slices):
            raise RenderError(
                f"Cannot paint a frame: expected {len(self._layout.slices)} slices, "
                f"got {len(slices)}. Give one for each scene."
            )
        for number, piece in enumerate(slices):
            shape = piece.values.shape
            is_value_shape = len(shape) == 3 and shape[2] in self._panels.num_outputs
            cover_shape = piece.fold_overlay.cover.shape
            if not is_value_shape or {shape[:2], cover_shape} != {self._panel_shape}:
                outputs = " or ".join(map(str, self._panels.num_outputs))
                raise RenderError(
                    f"Cannot paint slice {number}: expected values and folds of "
                    f"{self._panel_shape} with {outputs} outputs, got {shape} and "
                    f"{cover_shape}. Evaluate the network on the panel's raster."
                )

    def _draw_static(self, scenes: Sequence[Scene], headings: Sequence[Heading]) -> None:
        thickness = max(1, round(RULE_SHARE * self._layout.text_px))
        titles = self._fit_titles(headings)
        for scene, boxes, caption in zip(
            scenes, self._layout.slices, self._layout.captions, strict=True
        ):
            self._draw_caption(caption, scene.caption)
            for box, heading, title in zip(boxes, headings, titles, strict=True):
                self._draw_title(box.title, heading, title)
                if heading.is_framed:
                    _draw_frame(self._canvas, box.room, thickness)
            self._panels.draw_scene(self._canvas, boxes, scene)

    def _fit_titles(self, headings: Sequence[Heading]) -> list[FittedText]:
        box = self._layout.slices[0][0].title
        narrowest = min(panel.title.width for panel in self._layout.slices[0])
        if any(heading.swatch for heading in headings):
            narrowest -= self._swatch_pitch
        wordings = [heading.wordings for heading in headings]
        return self._typesetter.fitted_alike(wordings, narrowest, box.height, self._layout.text_px)

    @property
    def _swatch_pitch(self) -> int:
        return round(1.1 * self._layout.text_px)

    def _draw_title(self, box: Rect, heading: Heading, title: FittedText) -> None:
        if heading.swatch is not None:
            side = round(0.7 * self._layout.text_px)
            top = box.y + (box.height - side) // 2
            swatch = self._canvas[top : top + side, box.x : box.x + side]
            swatch[:] = RULE
            swatch[1:-1, 1:-1] = heading.swatch
            pitch = self._swatch_pitch
            box = Rect(box.x + pitch, box.y, box.width - pitch, box.height)
        self._typesetter.draw(self._canvas, box, title, colour=MUTED)

    def _draw_caption(self, box: Rect, caption: str) -> None:
        size = self._layout.text_px
        line = self._typesetter.fitted([caption], box.width, box.height, size, is_bold=True)
        self._typesetter.draw(self._canvas, box, line, colour=INK)


def _draw_frame(canvas: npt.NDArray[np.uint8], room: Rect, thickness: int) -> None:
    """Draw a line around a panel, outside of it."""
    outer = canvas[
        room.y - thickness : room.bottom + thickness, room.x - thickness : room.right + thickness
    ]
    inner = canvas[room.window].copy()
    outer[:] = RULE
    canvas[room.window] = inner


def _check_size(panel_width: int, panel_height: int) -> None:
    for name, length in (("width", panel_width), ("height", panel_height)):
        if not SMALLEST_PANEL_PX <= length <= LARGEST_PANEL_PX:
            raise RenderError(
                f"Cannot draw a frame: expected a panel {name} of {SMALLEST_PANEL_PX} to "
                f"{LARGEST_PANEL_PX} pixels, got {length}. Choose another size."
            )


def _panel_set(
    scenes: Sequence[Scene], panel_width: int, panel_height: int, task: Task, view: View
) -> PanelSet:
    if not scenes:
        raise RenderError("Cannot draw a frame: expected at least one scene, got 0. Give one.")
    with_smoothed = {scene.smoothed is not None for scene in scenes}
    if len(with_smoothed) > 1:
        raise RenderError(
            "Cannot draw a frame: expected smoothed points in all scenes or in none, "
            "got both. Give them for every slice."
        )
    has_smoothed = with_smoothed.pop()
    if task == "regression":
        whole: PanelSet = RegressionPanels(
            panel_width, panel_height, has_smoothed=has_smoothed, view=view
        )
        return LayerPanels(whole) if view.layers else whole
    class_colours = scenes[0].class_colours
    shape = () if class_colours is None else class_colours.shape
    if class_colours is None or shape[1:] != (3,) or not 1 <= shape[0] <= MOST_CLASSES:
        raise RenderError(
            f"Cannot draw a classification: expected class colours (K, 3) of 1 to {MOST_CLASSES} "
            f"classes, got {shape or 'none'}. Give them in the first scene."
        )
    whole = ClassificationPanels(
        panel_width, panel_height, class_colours, has_smoothed=has_smoothed, view=view
    )
    return LayerPanels(whole) if view.layers else whole
