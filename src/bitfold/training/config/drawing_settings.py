"""The settings of frames and video."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final

from bitfold.errors import ConfigError
from bitfold.training.schedules.frame_schedule import FrameSchedule


@dataclass(frozen=True, kw_only=True)
class DrawingSettings:
    """The settings that decide which frames are drawn, how they look and where they are written.

    Each attribute is the setting of `Config` with the same name, which documents its values and
    bounds. Training itself uses the schedule alone.

    Attributes:
        save_interval: ``N`` or ``geometric:N``; `schedule` is the same, parsed.
        snapshot_dir: folder of the frames.
        snapshot_format: format of the frames besides the video: ``png``, ``jpg`` or ``none``.
        png_compression: 0 to 9.
        jpeg_quality: 1 to 100.
        frame_size: longer side of a panel in pixels; None for the picture's.
        layout: which panels a frame has.
        faces: the values that fill the panel with folds.
        fold_colour: how folds are coloured.
        encoding_folds: how the folds of the encoding are drawn.
        polytope_engine: ``auto`` or ``sampled``.
        clip_slices: number of slices of a clip in a frame.
        slice_times: the times of these slices; `times` is the same, parsed.
        smoothing_sigma: width of the smoothing kernel in pixels; 0 for none.
        video_fps: frames per second of the video.
    """

    save_interval: str
    snapshot_dir: str
    snapshot_format: str
    png_compression: int
    jpeg_quality: int
    frame_size: int | None
    layout: str
    faces: str
    fold_colour: str
    encoding_folds: str
    polytope_engine: str
    clip_slices: int
    slice_times: str | None
    smoothing_sigma: float
    video_fps: int

    @property
    def schedule(self) -> FrameSchedule:
        """The epochs that get a frame."""
        return FrameSchedule.parse(self.save_interval)

    @property
    def times(self) -> tuple[float, ...]:
        """The times of a clip's slices; empty if they are spread evenly."""
        return parse_times(self.slice_times)

    def check(self) -> None:
        """Refuse a schedule or times that cannot be parsed.

        Raises:
            ConfigError: one of them cannot.
        """
        FrameSchedule.parse(self.save_interval)
        parse_times(self.slice_times)


#: The names of `DrawingSettings`, which `Config` has too.
DRAWING_NAMES: Final = tuple(field.name for field in fields(DrawingSettings))


def parse_times(text: str | None) -> tuple[float, ...]:
    """Read the times of a clip's slices; the clip begins at -0.5 and ends at 0.5.

    Raises:
        ConfigError: a time is not a number, or lies outside the clip.

    >>> parse_times("-0.4, 0,0.4")
    (-0.4, 0.0, 0.4)
    """
    words = [] if text is None else text.split(",")
    try:
        times = tuple(float(word) for word in words)
    except ValueError:
        times = (math.nan,)
    if not all(abs(time) <= 0.5 for time in times):
        raise ConfigError(
            f"Cannot use `slice_times`: expected times from -0.5 to 0.5, got {text!r}. Write for "
            "example `slice_times='-0.4,0,0.4'`."
        )
    return times
