"""The paths to which a run is drawn."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bitfold.training import RunRecord


@dataclass(frozen=True)
class DrawingPaths:
    """The paths to which a run is drawn.

    Args:
        frames: the folder of single frames.
        video: the video file.
        last_frame: a PNG file with the last frame.
    """

    frames: Path
    video: Path
    last_frame: Path

    @classmethod
    def of(cls, run: RunRecord) -> DrawingPaths:
        """Return the paths inside a run's folder."""
        return cls(run.snapshots, run.path / "video.mp4", run.path / "last_frame.png")


def frame_path(folder: Path, epoch: int, image_format: str) -> Path:
    """Return the path of an epoch's frame."""
    return folder / f"frame-{epoch:09d}.{image_format}"


def delete_other_frames(folder: Path, epochs: Collection[int]) -> None:
    """Delete the frames of all other epochs: a continued run replaces its later epochs."""
    for path in folder.glob("frame-*"):
        number = path.stem.removeprefix("frame-")
        if number.isdecimal() and int(number) not in epochs:
            path.unlink()
