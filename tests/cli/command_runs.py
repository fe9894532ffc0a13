"""What tests of several commands need: a small run's options, and the frames of a video."""

from pathlib import Path

import av

SMALL = [
    "--shape", "[6]*2", "--epochs", "4", "--batch-size", "128", "--save-interval", "2",
    "--checkpoint-interval", "2", "--seed", "3",
]  # fmt: skip


def num_video_frames(path: Path) -> int:
    """Decode a video and count its frames."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))
