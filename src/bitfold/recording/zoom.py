"""A video that zooms into the plane at one epoch; the exact engine works at every scale."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bitfold.errors import ConfigError
from bitfold.polytopes import partition
from bitfold.recording.frame_maker import FrameMaker
from bitfold.recording.frame_style import FrameStyle
from bitfold.recording.network_view import slice_plane, without_sigmoid
from bitfold.render import VideoWriter
from bitfold.targets import Window
from bitfold.training import Moment, Run

#: At larger magnifications float64 has too few digits for a window's coordinates.
LARGEST_MAGNIFICATION = 1e10
# Vertices beyond this distance from the centre lie on the picture's border.
_INNERMOST = 0.5 - 1e-9


def zoom_windows(point: tuple[float, float], magnification: float, count: int) -> list[Window]:
    """Return windows from the whole picture into a point, in equal ratios of size.

    Args:
        point: the point, in coordinates; a picture spans [-0.5, 0.5].
        magnification: of the last window relative to the picture, above 1 and at most 1e10.
        count: number of windows, at least 2.

    Raises:
        ConfigError: the point lies outside of the picture, or a number is out of bounds.

    >>> first, last = zoom_windows((0.25, 0.0), 100, 2)
    >>> first == Window(), [round(last.x0, 4), round(last.x1, 4)]
    (True, [0.2425, 0.2525])
    """
    x, y = point
    if not (abs(x) <= 0.5 and abs(y) <= 0.5):
        raise ConfigError(
            f"Cannot zoom: expected a point of the picture, -0.5 to 0.5, got {x:g}, {y:g}. "
            "Choose a point inside."
        )
    if not (1 < magnification <= LARGEST_MAGNIFICATION and count >= 2):
        raise ConfigError(
            f"Cannot zoom: expected a magnification above 1 and at most "
            f"{LARGEST_MAGNIFICATION:g} in at least 2 frames, got {magnification:g} in {count}. "
            "Choose other numbers."
        )
    windows = []
    for number in range(count):
        # The point keeps its position on the screen.
        size = math.pow(magnification, -number / (count - 1))
        low, high = -0.5 * size, 0.5 * size
        across, down = x * (1 - size), y * (1 - size)
        windows.append(Window(across + low, down + low, across + high, down + high))
    return windows


def nearest_vertex(
    run: Run, moment: Moment, point: tuple[float, float], time: float | None = None
) -> tuple[float, float]:
    """Return the vertex nearest to a point: folds meet there, so it is worth a zoom.

    Args:
        run: the run.
        moment: a moment of its trajectory.
        point: a point of the plane.
        time: the time of a clip's slice.

    Returns:
        The vertex, or the point itself if no folds meet inside the picture.

    Raises:
        PolytopeError: the network is not piecewise linear.
    """
    network = run.new_network().eval()
    network.load_state_dict(dict(moment.weights))
    window = Window()
    corners = (window.x0, window.y0), (window.x1, window.y1)
    found = partition(without_sigmoid(network)[0], corners, slice_plane(time))
    inner = found.vertices[(np.abs(found.vertices) < _INNERMOST).all(1)]
    if not len(inner):
        return point
    nearest = np.argmin(((inner - point) ** 2).sum(1))
    x, y = inner[nearest].tolist()
    return x, y


def draw_zoom(
    run: Run, moment: Moment, style: FrameStyle, windows: list[Window], path: Path
) -> Iterator[int]:
    """Draw a video of windows into one moment of a run; yield the number of each frame.

    Args:
        run: the run.
        moment: a moment of its trajectory.
        style: how frames look; its window is replaced, and there is no kernel smoothing.
        windows: the windows, all of one aspect.
        path: the path of the video.

    Raises:
        RenderError: the video cannot be written.
    """
    writer = None
    try:
        for number, window in enumerate(windows):
            shown = dataclasses.replace(style, window=window, smoothing_sigma_px=0.0)
            frame = FrameMaker(run, shown).draw(moment)
            if writer is None:
                height, width, _ = frame.shape
                rate = style.frames_per_second
                writer = VideoWriter(path, width=width, height=height, frames_per_second=rate)
            writer.append(frame)
            yield number
    finally:
        if writer is not None:
            writer.close()
