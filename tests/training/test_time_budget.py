"""`Config.minutes`: the measured speed plans the epochs, as recorded changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bitfold.errors import ConfigError
from bitfold.training import (
    Config,
    EpochEnded,
    Event,
    LateListener,
    Run,
    RunEnded,
    Session,
    load_run,
    resume,
)
from bitfold.training.time_budget import TimeBudget

SMALL: dict[str, Any] = {
    "target": "disk", "size": 16, "shape": "[3]", "points": 60, "validation_points": 20,
    "batch_size": 60, "measure_folds": 0, "audit": False, "no_watchdog": ("stagnation",),
}  # fmt: skip


class Clock:
    """A clock that advances with every epoch."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 100.0, seconds

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def listen(self, event: Event) -> None:
        """Advance by an epoch."""
        if isinstance(event, EpochEnded):
            self.now += self.seconds


def trained(session: Session, clock: Clock) -> int:
    """Train to the end of the budget, and return the number of epochs."""
    budget = TimeBudget(session, clock=clock)
    with session:
        while not session.is_over:
            next(session)
            budget.plan()
        for _ in session:  # lets the listeners finish
            pass
        return session.epoch


def seconds_of(run: Run) -> float:
    """Return the seconds of all epochs."""
    return sum(seconds or 0.0 for seconds in run.metrics["seconds"])


def test_epochs_fill_the_minutes(tmp_path: Path) -> None:
    """Three-second epochs fill two minutes to within a tenth."""
    clock = Clock(3.0)
    config = Config(**SMALL, minutes=2, output_dir=str(tmp_path / "run"))
    assert trained(Session(config, [clock.listen]), clock) == pytest.approx(40, abs=4)
    run = load_run(tmp_path / "run")
    assert run.config.epochs == run.last_epoch
    assert run.status["status"] == "completed"


def test_a_machine_that_gets_slower_still_meets_the_minutes(tmp_path: Path) -> None:
    """If the machine slows down, the latest speed plans the last epochs to meet the minutes."""
    clock = Clock(1.0)

    def slow_down(event: Event) -> None:
        clock.listen(event)
        if isinstance(event, EpochEnded) and event.epoch == 60:
            clock.seconds = 4.0

    config = Config(**SMALL, minutes=3, output_dir=str(tmp_path / "run"))
    trained(Session(config, [slow_down]), clock)
    assert clock.now - 100.0 == pytest.approx(180, rel=0.1)


class Drawer(LateListener):
    """Draws a frame of every fifth epoch beside the training, and a last frame more slowly."""

    def __init__(self, clock: Clock, frame_seconds: float) -> None:
        self._clock, self._frame_seconds = clock, frame_seconds
        self._free_at = clock.now  # the time at which all frames so far are drawn

    def __call__(self, event: Event) -> None:
        """Take frames as they come, and draw the rest at the end."""
        is_due = isinstance(event, EpochEnded) and event.epoch % 5 == 0
        if is_due or isinstance(event, RunEnded):
            self._free_at = max(self._free_at, self._clock.now) + self._frame_seconds
        if isinstance(event, RunEnded):
            self._clock.now = self._free_at

    def seconds_left(self) -> float:
        """Return the time for the waiting frames and the last one."""
        return max(0.0, self._free_at - self._clock.now) + self._frame_seconds


@pytest.mark.parametrize("frame_seconds", [8.0, 20.0])
def test_frames_are_within_the_minutes(tmp_path: Path, frame_seconds: float) -> None:
    """The minutes include waiting frames and the last one, also if drawing lags behind."""
    clock = Clock(3.0)
    drawer = Drawer(clock, frame_seconds)
    config = Config(**SMALL, minutes=4, output_dir=str(tmp_path / "run"))
    trained(Session(config, [clock.listen, drawer]), clock)
    assert clock.now - 100.0 == pytest.approx(240, rel=0.1)


def test_a_slow_first_epoch_is_no_measure(tmp_path: Path) -> None:
    """A first epoch that compiles loops does not end the run early."""
    clock = Clock(20.0)

    def speed_up(event: Event) -> None:
        clock.listen(event)
        if isinstance(event, EpochEnded):
            clock.seconds = 0.5

    config = Config(**SMALL, minutes=1, output_dir=str(tmp_path / "run"))
    trained(Session(config, [speed_up]), clock)
    assert clock.now - 100.0 == pytest.approx(60, rel=0.1)


def test_the_start_counts(tmp_path: Path) -> None:
    """The minutes begin at a time that the caller gives, so that loading is within them."""
    clock = Clock(3.0)
    config = Config(**SMALL, minutes=2, output_dir=str(tmp_path / "run"))
    session = Session(config, [clock.listen])
    budget = TimeBudget(session, clock.now - 60, clock=clock)
    with session:
        while not session.is_over:
            next(session)
            budget.plan()
    assert clock.now - 100.0 == pytest.approx(60, abs=12)


def test_minutes_of_earlier_sessions_count(tmp_path: Path) -> None:
    """A continued run whose minutes are used up ends after one more plan."""
    config = Config(**SMALL, epochs=5, output_dir=str(tmp_path / "run"))
    with Session(config) as session:
        while not session.is_over:
            next(session)
    path = tmp_path / "run" / "metrics.jsonl"
    assert 0 < seconds_of(load_run(tmp_path / "run")) < 60
    lines = path.read_text().splitlines()
    head, _, _ = lines[-1].rpartition('"seconds"')
    path.write_text("\n".join([*lines[:-1], f'{head}"seconds": 59.0}}']) + "\n")
    run = resume(tmp_path / "run", minutes=59.5 / 60)
    assert run.status["status"] == "completed"
    assert seconds_of(run) == pytest.approx(59.5, rel=0.1)


def test_another_number_of_epochs_ends_the_budget(tmp_path: Path) -> None:
    """Asking for a number of epochs ends the budget, also in a run that had minutes."""
    clock = Clock(3.0)
    config = Config(**SMALL, minutes=0.5, output_dir=str(tmp_path / "run"))
    epochs = trained(Session(config, [clock.listen]), clock)
    run = resume(tmp_path / "run", epochs=epochs + 7)
    assert (run.last_epoch, run.config.minutes) == (epochs + 7, None)


def test_learned_steps_have_their_last_tenth(tmp_path: Path) -> None:
    """Even if the first epochs use up the budget, the last tenth has frozen steps and is coded."""
    clock = Clock(100.0)
    config = Config(
        **SMALL,
        kolmogorov_quantise="learned",
        kolmogorov_weight=0.001,
        minutes=0.1,
        output_dir=str(tmp_path / "run"),
    )
    assert trained(Session(config, [clock.listen]), clock) <= 3
    assert load_run(tmp_path / "run").kolmogorov().bits().total > 0


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_no_time_is_refused(minutes: float) -> None:
    """A budget of 0 minutes is refused."""
    with pytest.raises(ConfigError, match="minutes"):
        Config(minutes=minutes)
