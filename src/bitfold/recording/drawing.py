"""Writes frames to disk and into a video: each epoch of the trajectory once, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitfold.recording.files.drawing_paths import DrawingPaths, frame_path
from bitfold.recording.frame_maker import FrameMaker
from bitfold.recording.frame_style import FrameStyle
from bitfold.render import VideoWriter, encode_jpeg, encode_png
from bitfold.runtime.atomic_files import write_atomically
from bitfold.training import Moment, Run


class Drawing:
    """Draws a run's trajectory into frames and a video, and continues an earlier drawing.

    Args:
        run: the run.
        style: how frames look.
        paths: where frames and video go.
        afresh: draw everything again, instead of keeping what an earlier drawing left.

    Raises:
        RenderError: a path cannot be written.
    """

    def __init__(
        self, run: Run, style: FrameStyle, paths: DrawingPaths, *, afresh: bool = False
    ) -> None:
        self._run, self._style, self._paths, self._afresh = run, style, paths, afresh
        self._maker = FrameMaker(run, style)
        self._reader = run.open_trajectory()
        self._num_known = len(self._reader.epochs())
        self._video: VideoWriter | None = None
        self._index = 0
        self._last: NDArray[np.uint8] | None = None
        if style.image_format != "none":
            paths.frames.mkdir(parents=True, exist_ok=True)

    def draw_new(self) -> Iterator[int]:
        """Draw the moments that were appended to the trajectory; yield the epoch of each frame."""
        for moment in self._reader.moments():
            self._draw(moment)
            self._index += 1
            yield moment.epoch

    def close(self) -> None:
        """Complete the video and write the last frame."""
        self._reader.close()
        if self._video is not None:
            self._video.close()
        if self._last is not None:
            write_atomically(self._paths.last_frame, encode_png(self._last), sync=False)

    def _draw(self, moment: Moment) -> None:
        path = self._frame_path(moment.epoch)
        has_file = path is None or (path.exists() and not self._afresh)
        in_video = self._video is not None and self._index < self._video.num_frames
        is_last = self._index >= self._num_known - 1
        if has_file and in_video and not is_last:
            return
        frame = self._maker.draw(moment)
        video = self._open_video(frame)
        if self._index >= video.num_frames:
            video.append(frame)
        if path is not None and not has_file:
            # An existing file is never drawn again, so it must be complete.
            write_atomically(path, self._encode(frame), sync=False)
        self._last = frame

    def _open_video(self, frame: NDArray[np.uint8]) -> VideoWriter:
        """Open the video at the first frame, which determines the size of the video."""
        if self._video is None:
            height, width, _ = frame.shape
            self._video = VideoWriter.continued(
                self._paths.video,
                num_frames=0 if self._afresh else self._num_known,
                width=width,
                height=height,
                frames_per_second=self._style.frames_per_second,
            )
        return self._video

    def _encode(self, frame: NDArray[np.uint8]) -> bytes:
        if self._style.image_format == "jpg":
            return encode_jpeg(frame, self._style.jpeg_quality)
        return encode_png(frame, self._style.png_compression)

    def _frame_path(self, epoch: int) -> Path | None:
        if self._style.image_format == "none":
            return None
        return frame_path(self._paths.frames, epoch, self._style.image_format)
