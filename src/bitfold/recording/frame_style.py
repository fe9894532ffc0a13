"""How frames look: as a run's configuration says, or differently when it is drawn again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bitfold.targets import Target, Window
from bitfold.training import Config, parse_times

_SMALLEST_PX, _LARGEST_PX, _LARGEST_CLIP_PX = 384, 1024, 448


@dataclass(frozen=True)
class FrameStyle:
    """Everything besides the weights that a frame depends on.

    Args:
        longer_side_px: longer side of a panel; None: that of the picture, but at least 384 and at
            most 1024 (448 for slices of a clip).
        window: the rectangle of the plane that the panels show.
        layout: ``full``: all panels and the legend; ``folds``: only the prediction with folds;
            ``layers``: one panel for the folds of each layer.
        faces: the filling of the panel with folds: ``value`` is the prediction, ``area`` and
            ``slope`` those of polytopes; ``identity`` gives each activation pattern a colour, which
            is the same in every frame.
        fold_colour: ``plain``, by ``layer`` or by ``neuron``.
        encoding_folds: folds of the encoding's own waves or grids: ``plain`` as all others,
            ``faint``, or ``none``. Panels of single layers show them all. Only exact
            frames follow this; sampled ones ignore it.
        engine: ``auto``: exact where the exact engine supports the network, else sampled;
            ``sampled``: found at the pixels.
        image_format: ``png``, ``jpg`` or ``none``.
        png_compression: 0 to 9.
        jpeg_quality: 1 to 100.
        clip_slices: number of slices of a clip in a frame, evenly spread over its time.
        slice_times: times of the slices, -0.5 to 0.5; they replace ``clip_slices``.
        frames_per_second: of the video.
        smoothing_sigma_px: width of the kernel smoothing that is shown beside the target; 0: none.
    """

    longer_side_px: int | None = None
    window: Window = dataclasses.field(default_factory=Window)
    layout: str = "full"
    faces: str = "value"
    fold_colour: str = "plain"
    encoding_folds: str = "faint"
    engine: str = "auto"
    image_format: str = "png"
    png_compression: int = 2
    jpeg_quality: int = 90
    clip_slices: int = 3
    slice_times: tuple[float, ...] = ()
    frames_per_second: int = 25
    smoothing_sigma_px: float = 0.0

    @classmethod
    def of(cls, config: Config) -> FrameStyle:
        """Return the style in a run's configuration."""
        return cls(
            longer_side_px=config.frame_size,
            layout=config.layout,
            faces=config.faces,
            fold_colour=config.fold_colour,
            encoding_folds=config.encoding_folds,
            engine=config.polytope_engine,
            image_format=config.snapshot_format,
            png_compression=config.png_compression,
            jpeg_quality=config.jpeg_quality,
            clip_slices=config.clip_slices,
            slice_times=parse_times(config.slice_times),
            frames_per_second=config.video_fps,
            smoothing_sigma_px=config.smoothing_sigma,
        )

    def panel_px(self, target: Target) -> tuple[int, int]:
        """Return (width, height) of a panel, with the aspect that the window has on the picture."""
        width = target.grid.width * (self.window.x1 - self.window.x0)
        height = target.grid.height * (self.window.y1 - self.window.y0)
        longest = max(target.grid.width, target.grid.height)
        largest = _LARGEST_CLIP_PX if target.is_clip else _LARGEST_PX
        side = self.longer_side_px or min(max(longest, _SMALLEST_PX), largest)
        scale = side / max(width, height)
        return max(16, round(width * scale)), max(16, round(height * scale))

    def slice_frames(self, target: Target) -> list[int]:
        """Return the frames of a clip to show: the chosen ones, or the middles of equal parts."""
        if not target.is_clip:
            return [0]
        num_frames = target.grid.num_frames
        if self.slice_times:
            return [target.grid.frame_at(time) for time in self.slice_times]
        num_slices = min(self.clip_slices, num_frames)
        return [int((k + 0.5) * num_frames / num_slices) for k in range(num_slices)]
