"""Rates of the last seconds."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bitfold.cli.console.rates import RecentRate


class FakeClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


def test_a_slow_first_epoch_does_not_count() -> None:
    """The first epoch is mostly compiling: no rate is known until a second epoch ends."""
    clock = FakeClock()
    rate = RecentRate(clock)
    clock.now += 77
    assert rate.observe(1) is None
    clock.now += 0.5
    assert rate.observe(2) == pytest.approx(2)


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    """A hundred slow epochs are forgotten after ten seconds of fast ones."""
    clock = FakeClock()
    rate = RecentRate(clock)
    for epoch in range(100):
        clock.now += 1
        rate.observe(epoch)
    shown = []
    for epoch in range(100, 1200):
        clock.now += 0.01
        shown.append(rate.observe(epoch) or 0.0)
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(shown[10:]))
    assert shown[-1] == pytest.approx(100, rel=0.02)


def test_epochs_that_are_longer_than_the_window_are_timed_by_the_last() -> None:
    """If each epoch takes a minute, the rate is that of the last epoch."""
    clock = FakeClock()
    rate = RecentRate(clock)
    for epoch, seconds in enumerate((60, 60, 30), 1):
        clock.now += seconds
        last = rate.observe(epoch)
    assert last == pytest.approx(1 / 30)


def test_a_window_of_fast_epochs_stays_short() -> None:
    """Observations that are close in time are merged."""
    clock = FakeClock()
    rate = RecentRate(clock)
    for epoch in range(100_000):
        clock.now += 0.001
        last = rate.observe(epoch)
    assert last == pytest.approx(1000, rel=0.01)
    assert len(rate._observed) < 300
