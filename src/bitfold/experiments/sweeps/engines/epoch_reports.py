"""Reports of a member's epochs, a few a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from bitfold.experiments.sweeps.engines.engine import REPORT_SECONDS, Advanced
from bitfold.training import Changed, EpochEnded, Event, RunStarted


class EpochReports:
    """A listener that hands on how far a member is.

    Args:
        name: of the member.
        tell: called with a report.
    """

    def __init__(self, name: str, tell: Callable[[Advanced], None]) -> None:
        self._name, self._tell = name, tell
        self._epochs, self._last = 0, 0.0

    def __call__(self, event: Event) -> None:
        """Listen to training."""
        if isinstance(event, RunStarted | Changed):
            self._epochs = event.run.config.epochs
        if not isinstance(event, RunStarted | EpochEnded):
            return
        now = time.monotonic()
        if now - self._last >= REPORT_SECONDS:
            self._last = now
            self._tell(Advanced(self._name, event.epoch, self._epochs))
