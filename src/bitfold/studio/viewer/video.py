"""The video of a run's recorded moments in the window of a page."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bitfold.errors import RenderError, StudioError
from bitfold.recording import Drawing, DrawingPaths, FrameStyle
from bitfold.studio.viewer.window import Window
from bitfold.targets import Window as Rectangle
from bitfold.training import load_run

# What a page draws without faces, a video draws with the prediction.
_FACES: Final = {"none": "value"}


def video_of(path: str, window: Window, faces: str, told: Callable[[int, int], None]) -> bytes:
    """Draw all recorded moments of a run, as `bitfold render` does; return an MP4 file.

    Args:
        path: of the run.
        window: what is seen.
        faces: the filling, one of `bitfold.studio.wire.commands.FACES`.
        told: called with the number of frames that are drawn, and that of all.

    Raises:
        RunError: there is no run.
        StudioError: it has recorded no moment.
        RenderError: the video cannot be written.
    """
    run = load_run(path)
    total = len(run.frame_epochs())
    if total == 0:
        raise StudioError(f"Cannot draw a video of {path}: it has recorded no moment. Train first.")
    usual = FrameStyle.of(run.config)
    style = dataclasses.replace(
        usual,
        window=_rectangle(window),
        layout="folds",
        faces=_FACES.get(faces, faces),
        image_format="none",
        slice_times=usual.slice_times if window.time is None else (window.time,),
    )
    with tempfile.TemporaryDirectory(prefix="bitfold-studio-") as folder:
        file = Path(folder) / "video.mp4"
        paths = DrawingPaths(Path(folder), file, Path(folder) / "last_frame.png")
        try:
            drawing = Drawing(run, style, paths, afresh=True)
            try:
                for number, _ in enumerate(drawing.draw_new(), 1):
                    told(number, total)
            finally:
                drawing.close()
            return file.read_bytes()
        except OSError as error:
            raise RenderError(f"Cannot write a video: {error.strerror}.") from None


def _rectangle(window: Window) -> Rectangle:
    half_width = window.half * window.aspect
    return Rectangle(
        window.x - half_width,
        window.y - window.half,
        window.x + half_width,
        window.y + window.half,
    )
