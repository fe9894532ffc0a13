"""The video of a run's moments equals `bitfold render`'s video of the page's window."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

import bitfold
from bitfold.errors import StudioError
from bitfold.studio.viewer.video import video_of
from bitfold.studio.viewer.window import Window
from tests.training.training_runs import tiny

WIDE = Window(0.0, 0.1, 0.2, 2.0)


def test_each_recorded_moment_is_a_frame_of_the_window(tmp_path: Path) -> None:
    """Each moment is a frame, in order, in the window's aspect, and each frame is reported."""
    run = bitfold.train(tiny(tmp_path / "run", epochs=2, frame_size=64, snapshot_format="png"))
    told: list[tuple[int, int]] = []
    data = video_of(str(run.path), WIDE, "none", lambda done, total: told.append((done, total)))
    path = tmp_path / "video.mp4"
    path.write_bytes(data)
    with av.open(str(path)) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert len(frames) == len(run.frame_epochs()) == 3
    height, width, _ = frames[0].shape
    assert width > 1.5 * height
    assert any((frames[0] != frames[2]).ravel())


def test_a_run_without_moments_has_no_video(tmp_path: Path) -> None:
    """A run without moments gets one line instead of a video."""
    session = bitfold.Session(tiny(tmp_path / "run"))
    session.close()
    with pytest.raises(StudioError, match="has recorded no moment"):
        video_of(str(tmp_path / "run"), WIDE, "value", lambda done, total: None)
