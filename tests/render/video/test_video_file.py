"""Paths of videos."""

import os
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from bitfold.render import VideoWriter


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_colon_in_a_path_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A video is written, continued and finished in a folder like ``10:30`` beside the user."""
    monkeypatch.chdir(tmp_path)
    path = Path("10:30") / "a%d:b.mp4"
    path.parent.mkdir()
    size = {"width": 32, "height": 16, "frames_per_second": 25}
    for make in (VideoWriter, partial(VideoWriter.continued, num_frames=2)):
        with make(path, **size) as video:
            for shade in (0, 100, 200):
                video.append(np.full((16, 32, 3), shade, np.uint8))
    with path.open("rb") as file, av.open(file) as container:
        assert container.streams.video[0].frames == 5
