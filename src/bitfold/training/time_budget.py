"""A budget of minutes: epochs follow from the measured speed, as recorded changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from bitfold.training.config.configuration import UNPLANNED_EPOCHS
from bitfold.training.session import Session

# Shares of the budget after which the number of epochs is worked out again.
_PLANS: Final = (0.01, 0.04, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.87, 0.92, 0.95, 0.97, 1.0)
# Learned steps freeze for the last tenth of the epochs, which later plans would thaw.
_LAST_FOR_STEPS: Final = 0.8
_LAST_PART: Final = 9
# A plan that differs by less than this share of the budget is not worth a change.
_WORTH: Final = 0.01


class TimeBudget:
    """Keeps a session within ``Config.minutes``, by changes of ``epochs``.

    The schedules of training follow from the number of epochs. So a run with a budget is an
    ordinary run: its changes are recorded, and it can be continued and replayed. The time of
    earlier sessions counts, as their metrics have it. Time is left for what listeners still have to
    do after training, such as to draw frames: see `LateListener`.

    Args:
        session: a session that is about to be advanced.
        start: the time from which this session counts; None for now.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        session: Session,
        start: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._clock = session, clock
        spent = sum(seconds or 0.0 for seconds in session.run.metrics["seconds"])
        self._start = (clock() if start is None else start) - spent
        self._num_plans = 0
        self._first = session.epoch + 1
        self._before: tuple[int, float] | None = None  # epoch and time of the last measurement

    def plan(self) -> None:
        """Work out the number of epochs again if it is time to; call it after each event."""
        session = self._session
        minutes = session.run.config.minutes
        if minutes is None or not session.may_go_on:
            return
        now, epoch = self._clock(), session.epoch
        if epoch < self._first:
            return
        # What listeners still have to do counts as spent.
        share = (now - self._start + session.seconds_left()) / (60 * minutes)
        passed = sum(point <= share for point in _PLANS)
        if self._before is None:  # loops are compiled in the first epoch: it tells nothing
            self._before = epoch, now
            if share >= 1:
                self._set(epoch, 1.0, share, 60 * minutes)
            return
        # A plan by a slow beginning would end the run before a share of the budget is over.
        is_doubled = epoch >= 2 * self._before[0]
        if epoch == self._before[0] or not (is_doubled or passed != self._num_plans):
            return
        self._num_plans = passed
        speed = (now - self._before[1]) / (epoch - self._before[0])
        self._before = epoch, now
        self._set(epoch, speed, share, 60 * minutes)

    def _set(self, epoch: int, speed: float, share: float, seconds: float) -> None:
        """Change the epochs to those that fit, at ``speed`` seconds an epoch."""
        config, least = self._session.run.config, 0
        if config.kolmogorov.is_quantised:
            if share > _LAST_FOR_STEPS and config.epochs < UNPLANNED_EPOCHS:
                return
            least = 1 + epoch // _LAST_PART  # trained with frozen steps
        epochs = epoch + max(least, round((1 - share) * seconds / max(speed, 1e-9)))
        epochs = min(max(1, epochs), UNPLANNED_EPOCHS)
        if abs(epochs - config.epochs) * speed > _WORTH * seconds or share >= 1:
            self._session.change(epochs=epochs)
