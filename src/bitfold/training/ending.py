"""How a training ends."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

#: Exit code of a run whose last state could not be written.
UNSAVED_EXIT_CODE = 7
#: Its reason, and its status on disk.
UNSAVED = "unsaved"


@dataclass(frozen=True)
class Ending:
    """How training ends.

    Args:
        reason: see `RunEnded`.
        message: one line for a person.
        exit_code: for a program that only trains.
        is_healthy: whether the state may be saved: every loss is finite.
        if_saved: more for the person, if the last good state is on disk.
    """

    reason: str
    message: str
    exit_code: int
    is_healthy: bool = True
    if_saved: str = ""

    def saved(self) -> Ending:
        """The same ending of a run whose last good state is on disk."""
        return dataclasses.replace(self, message=self.message + self.if_saved)

    def unsaved(self, epoch: int, reason: str) -> Ending:
        """The same ending of a run whose state after an epoch could not be written."""
        message = f"{self.message} Cannot write the state after epoch {epoch}: {reason}."
        return Ending(UNSAVED, message, UNSAVED_EXIT_CODE, self.is_healthy)
