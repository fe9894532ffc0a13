"""Videos that zoom into the plane."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from bitfold.errors import ConfigError
from bitfold.polytopes import partition
from bitfold.recording import FrameStyle, draw_zoom, nearest_vertex, zoom_windows
from bitfold.recording.partition_slice import PartitionSlicer
from bitfold.targets import Window
from bitfold.training import Moment, Run, TrajectoryReader


@pytest.fixture
def last(ring_run: Run) -> Moment:
    """Return the last moment of a run."""
    reader = TrajectoryReader(ring_run.folder.trajectory)
    *_, moment = reader.moments()
    reader.close()
    return moment


def test_windows_shrink_evenly_around_a_point_that_stays() -> None:
    """The point keeps its position in each window, and the last window has the right size."""
    windows = zoom_windows((0.3, -0.2), 1e6, 7)
    assert windows[0] == Window()
    shares = [((0.3 - w.x0) / (w.x1 - w.x0), (-0.2 - w.y0) / (w.y1 - w.y0)) for w in windows]
    np.testing.assert_allclose(shares, [shares[0]] * 7, atol=1e-8)
    sizes = np.array([w.x1 - w.x0 for w in windows])
    np.testing.assert_allclose(sizes[1:] / sizes[:-1], 0.1, rtol=1e-6)


@pytest.mark.parametrize(
    ("point", "times", "count"),
    [((0.6, 0.0), 10, 5), ((0, 0), 1, 5), ((0, 0), 1e11, 5), ((0, 0), 10, 1), ((np.nan, 0), 10, 5)],
)
def test_nonsense_is_refused(point: tuple[float, float], times: float, count: int) -> None:
    """Wrong points and numbers give an error of one line."""
    with pytest.raises(ConfigError, match="Cannot zoom") as caught:
        zoom_windows(point, times, count)
    assert "\n" not in str(caught.value)


def test_a_vertex_still_is_one_at_any_magnification(ring_run: Run, last: Moment) -> None:
    """At any magnification, the folds that meet at the vertex cross the window."""
    x, y = nearest_vertex(ring_run, last, (0.1, 0.1))
    network = ring_run.network().eval()
    for window in zoom_windows((x, y), 1e9, 4):
        style = FrameStyle(longer_side_px=64, window=window, smoothing_sigma_px=0)
        made = PartitionSlicer(network, ring_run.target, style).slice(None)
        assert made.is_exact
        assert made.num_polytopes >= 3
        assert made.piece.fold_overlay.cover.max() > 200
    corners = (window.x0, window.y0), (window.x1, window.y1)
    partition(network, corners).check()


def test_the_video_has_all_frames(ring_run: Run, last: Moment, tmp_path: Path) -> None:
    """The video has one frame for each window; all have one size, and no two are equal."""
    path = tmp_path / "zoom.mp4"
    style = dataclasses.replace(FrameStyle(), longer_side_px=64, layout="folds")
    point = nearest_vertex(ring_run, last, (0.0, 0.0))
    windows = zoom_windows(point, 100, 5)
    assert list(draw_zoom(ring_run, last, style, windows, path)) == [0, 1, 2, 3, 4]
    with av.open(path) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(frames) == 5
    assert all((a != b).any() for a, b in pairwise(frames))
