"""The epochs that get a frame."""

from __future__ import annotations

import pytest

from bitfold.errors import ConfigError
from bitfold.training.schedules.frame_schedule import FrameSchedule


@pytest.mark.parametrize("per_decade", [1, 2, 5, 60, 1000])
def test_a_geometric_schedule_keeps_its_density(per_decade: int) -> None:
    """A geometric schedule has all first epochs, all powers of ten, and a fixed number a decade."""
    schedule = FrameSchedule.parse(f"geometric:{per_decade}")
    epochs = [epoch for epoch in range(100_001) if schedule.has(epoch)]
    assert epochs[:2] == [0, 1]
    assert {10, 100, 1000, 10_000, 100_000} <= set(epochs)
    assert sum(10_000 < epoch <= 100_000 for epoch in epochs) == per_decade


def test_a_linear_schedule_counts_from_the_start() -> None:
    """A linear schedule has epoch 0 and every N-th epoch."""
    schedule = FrameSchedule.parse(" 3 ")
    assert [epoch for epoch in range(10) if schedule.has(epoch)] == [0, 3, 6, 9]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "1.5",
        ":5",
        "geometric:",
        "geometric:0",
        "linear:3",
        "9" * 5000,
        "10000000001",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """The error for another text shows the possible forms."""
    with pytest.raises(ConfigError, match=r"expected N or geometric:N.*Write a number"):
        FrameSchedule.parse(text)
