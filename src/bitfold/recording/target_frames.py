"""Makes frames beside one target: finds the folds, fills the legend, paints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import RenderError
from bitfold.recording.frame_style import FrameStyle
from bitfold.recording.legend import legend_of
from bitfold.recording.partition_slice import PartitionSlice, PartitionSlicer
from bitfold.render import FramePainter, Scene
from bitfold.targets import (
    kernel_baseline_error,
    kernel_smoothed,
    window_axes,
    window_positions,
)
from bitfold.training import Moment, RunRecord

_OUTSIDE = np.array([128, 128, 128], dtype=np.uint8)


# Of all panels that show folds. A video scales larger frames down to a fifth of it.
MAX_PIXELS = 2**25


class TargetFrames:
    """Draws frames of one run in one style, beside the target that it learned at the time.

    Args:
        run: the record of the run at an epoch.
        style: how frames look.

    Raises:
        RenderError: the frame would be too large.
    """

    def __init__(self, run: RunRecord, style: FrameStyle) -> None:
        self._run, self._style = run, style
        self._width, self._height = style.panel_px(run.target)
        self._xs, self._ys = window_axes(style.window, self._width, self._height)
        self._frames = style.slice_frames(run.target)
        _check_size(self._width, self._height, len(self._frames))
        self._scenes = [self._scene(frame) for frame in self._frames]
        self._baseline_error = (
            kernel_baseline_error(run.target, run.split, style.smoothing_sigma_px)
            if self._scenes[0].smoothed is not None
            else None
        )
        self._network = run.new_network().eval()
        self._slicer = PartitionSlicer(self._network, run.target, style)
        self._painter = FramePainter(
            self._scenes,
            panel_width=self._width,
            panel_height=self._height,
            task=run.target.task,
            view=self._slicer.view(),
        )

    def draw(self, moment: Moment, run: RunRecord) -> NDArray[np.uint8]:
        """Return the frame of a moment: uint8 (height, width, 3), valid until the next call.

        Args:
            moment: an epoch at which the run learned this target.
            run: the record of the run at that epoch; the legend quotes its settings.
        """
        self._network.load_state_dict(dict(moment.weights))
        found = [self._partition(frame) for frame in self._frames]
        wrong = self._share_misclassified(found)
        frame = self._painter.paint(
            [one.piece for one in found], self._legend(run, moment, found, wrong)
        )
        return self._painter.fold_panels() if self._style.layout == "folds" else frame

    def _legend(
        self, run: RunRecord, moment: Moment, found: list[PartitionSlice], wrong: float | None
    ) -> list[tuple[str, str]]:
        return legend_of(
            run,
            moment,
            [one.num_polytopes for one in found],
            is_exact=all(one.is_exact for one in found),
            misclassified=wrong,
            baseline_error=self._baseline_error,
        )

    def _partition(self, frame: int) -> PartitionSlice:
        target = self._run.target
        return self._slicer.slice(target.grid.frame_time(frame) if target.is_clip else None)

    def _share_misclassified(self, found: list[PartitionSlice]) -> float | None:
        if self._run.target.task != "classification":
            return None
        wrong = counted = 0
        for one, scene in zip(found, self._scenes, strict=True):
            assert scene.classes is not None
            known = scene.classes >= 0
            wrong += int(((one.piece.values.argmax(2) != scene.classes) & known).sum())
            counted += int(known.sum())
        return wrong / max(1, counted)

    def _scene(self, frame: int) -> Scene:
        target, split = self._run.target, self._run.split
        pixels, inside = self._pixels(frame)
        picture = target.picture(frame).reshape(-1, 3)[pixels]
        picture[~inside] = _OUTSIDE
        classes = None
        if target.classes is not None:
            start = frame * target.grid.width * target.grid.height
            classes = np.where(inside, target.classes[start + pixels], -1)
        return Scene(
            picture=picture,
            training=self._positions(split.training, frame),
            validation=self._positions(split.validation, frame),
            smoothed=self._smoothed(frame),
            caption=f"t = {target.grid.frame_time(frame):+.2f}" if target.is_clip else "",
            classes=classes,
            class_colours=target.class_colours,
        )

    def _pixels(self, frame: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return each panel pixel's pixel in the picture, and whether it is inside the picture."""
        grid = self._run.target.grid
        x, y = np.meshgrid(self._xs, self._ys)
        points = np.stack([x.ravel(), y.ravel()], axis=1)
        if grid.is_clip:
            time = np.full((len(points), 1), grid.frame_time(frame))
            points = np.concatenate([points, time], axis=1)
        pixels = grid.indices(points) % (grid.width * grid.height)
        inside = (np.abs(x) <= 0.5) & (np.abs(y) <= 0.5)
        return pixels.reshape(x.shape), inside

    def _positions(self, indices: NDArray[np.int64], frame: int) -> NDArray[np.float64]:
        grid = self._run.target.grid
        of_frame = indices[indices // (grid.width * grid.height) == frame]
        return window_positions(self._style.window, grid.coordinates(of_frame))

    def _smoothed(self, frame: int) -> NDArray[np.uint8] | None:
        sigma, whole = self._style.smoothing_sigma_px, type(self._style.window)()
        if sigma <= 0 or self._style.window != whole:
            return None
        return kernel_smoothed(
            self._run.target,
            self._run.split,
            sigma,
            frame=frame,
            width=self._width,
            height=self._height,
        )


def _check_size(width: int, height: int, num_slices: int) -> None:
    if num_slices * width * height > MAX_PIXELS:
        raise RenderError(
            f"Cannot draw {num_slices} panels of {width} x {height}: expected at most "
            f"{MAX_PIXELS:,} pixels in all, got {num_slices * width * height:,}. Choose a smaller "
            "`frame_size` or fewer `clip_slices`."
        )
