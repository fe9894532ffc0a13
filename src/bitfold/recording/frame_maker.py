"""Makes the frame of a moment, beside the target that the run learned at that epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitfold.recording.frame_style import FrameStyle
from bitfold.recording.target_frames import TargetFrames
from bitfold.training import Moment, RunRecord


class FrameMaker:
    """Draws frames of one run in one style.

    Args:
        run: the run; changes that are made later are read from its folder.
        style: how frames look.
    """

    def __init__(self, run: RunRecord, style: FrameStyle) -> None:
        self._run, self._style = run, style
        self._frames = TargetFrames(run, style)
        self._numbers = _numbers(run)
        self._num_bytes = 0  # of the changes that were read last

    def draw(self, moment: Moment) -> NDArray[np.uint8]:
        """Return the frame of a moment: uint8 (height, width, 3), valid until the next call."""
        self._read_changes()
        then = self._run.at(moment.epoch)
        if _numbers(then) != self._numbers:
            self._frames, self._numbers = TargetFrames(then, self._style), _numbers(then)
        return self._frames.draw(moment, then)

    def _read_changes(self) -> None:
        """Read the changes that were made since the last frame."""
        path = self._run.folder.changes
        num_bytes = path.lstat().st_size if path.exists() else 0
        if num_bytes != self._num_bytes:
            self._run = RunRecord.open(self._run.path, **self._run.places)
            self._num_bytes = num_bytes


def _numbers(run: RunRecord) -> tuple[int, int]:
    """Return the numbers of the target and of the points."""
    return run.changes.target_number(), run.changes.split_number()
