"""Decides the epochs at which frames are drawn."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from bitfold.errors import ConfigError

_WRITE = "Write a number of epochs such as 10, or geometric:60."


@dataclass(frozen=True)
class FrameSchedule:
    """The epochs that get a frame: every ``interval``-th, or ``per_decade`` per factor of ten.

    A schedule looks at an epoch's number alone, never at how many epochs are
    planned, so a run that is continued for longer has the frames of one that was planned longer.

    Args:
        interval: epochs between two frames, at least 1; 0 for a geometric schedule.
        per_decade: frames per factor of ten of the epoch, at least 1; 0 for a linear schedule.

    >>> [e for e in range(120) if FrameSchedule.parse("geometric:5").has(e)]
    [0, 1, 2, 3, 4, 7, 10, 16, 26, 40, 64, 100]
    >>> [e for e in range(10) if FrameSchedule.parse("4").has(e)]
    [0, 4, 8]
    """

    interval: int = 0
    per_decade: int = 0

    @classmethod
    def parse(cls, text: str) -> FrameSchedule:
        """Read ``N`` or ``geometric:N``.

        Raises:
            ConfigError: the text has another form, or N is not between 1 and 10^9.
        """
        found = re.fullmatch(r"(geometric:)?([0-9]{1,10})", text.strip())
        if found is None or not 1 <= int(found[2]) <= 10**9:
            raise ConfigError(
                f"Cannot use `save_interval`: expected N or geometric:N, got {text!r}. {_WRITE}"
            )
        number = int(found[2])
        return cls(per_decade=number) if found[1] else cls(interval=number)

    def has(self, epoch: int) -> bool:
        """Whether an epoch gets a frame; epoch 0, the network before training, always gets one."""
        if self.interval:
            return epoch % self.interval == 0
        return epoch <= 1 or self._step(epoch) > self._step(epoch - 1)

    def _step(self, epoch: int) -> int:
        # 1e-9 keeps rounding from moving exact powers of ten below the floor.
        return math.floor(self.per_decade * math.log10(epoch) + 1e-9)
