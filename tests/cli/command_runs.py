"""Runs, with and without frames, and their videos, for the tests of several commands."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import av

from bitfold import recording

SMALL = [
    "--shape", "[6]*2", "--epochs", "4", "--batch-size", "128", "--save-interval", "2",
    "--checkpoint-interval", "2", "--seed", "3",
]  # fmt: skip


@contextlib.contextmanager
def nothing_drawn() -> Iterator[None]:
    """Keep training from starting its drawing process, which takes seconds to load."""
    with patch.object(recording, "Recorder", lambda **_: lambda event: None):
        yield


def num_video_frames(path: Path) -> int:
    """Decode a video and return its number of frames."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))
