"""The real trade monitor on a training's losses, and its memory."""

from __future__ import annotations

import dataclasses
import math

import pytest

from bitfold.training import Config
from bitfold.training.step.epoch_result import EpochResult
from bitfold.training.watch.oversight import Oversight, oversight_of

RESULT = EpochResult(0.1, 4.0, 0.1, None, 1.0, 5000.0, 0, 0.2, ((0.1, 4.0),))
#: Number of steps in an epoch.
NUM_STEPS = 3


def paying(epoch: int) -> EpochResult:
    """Return an epoch in which K rises ten times as much as the task loss falls."""
    numbers = range(NUM_STEPS * (epoch - 1) + 1, NUM_STEPS * epoch + 1)
    steps = tuple((0.5 - 1e-5 * number, 4.0 + 5e-4 * number) for number in numbers)
    return dataclasses.replace(RESULT, step_losses=steps)


def reports(oversight: Oversight, first: int, last: int) -> list[tuple[int, str]]:
    """Return the epochs of reports and their lines."""
    found = [(epoch, oversight.trade(paying(epoch))) for epoch in range(first, last + 1)]
    return [(epoch, line) for epoch, line in found if line is not None]


def test_a_bad_trade_is_reported_once_with_both_amounts() -> None:
    """A bad trade gives one line, with K weighted by the epochs' lambda."""
    ((epoch, line),) = reports(oversight_of(Config(kolmogorov_weight=0.2)), 1, 1000)
    assert "the weighted K rose by" in line
    assert "the task loss fell by" in line
    assert "\n" not in line
    first, last = (int(line.split(word)[1].split()[0]) for word in ("step", " to"))
    assert first < last <= NUM_STEPS * epoch
    rise = float(line.split("rose by ")[1].split()[0])
    # The halves' means differ by half the window: lambda 0.2 times 5e-4 a step.
    assert rise == pytest.approx(0.2 * 5e-4 * (last - first + 1) / 2, rel=0.1)


def test_memory_goes_on_where_it_was_taken() -> None:
    """After an interrupt at any epoch, the same line comes at the same epoch."""
    whole = reports(oversight_of(Config(kolmogorov_weight=0.2)), 1, 400)
    assert len(whole) == 1
    for stop in (1, 17, 42, 100):
        first, second = (oversight_of(Config(kolmogorov_weight=0.2)) for _ in range(2))
        before = reports(first, 1, stop)
        second.restore({name: tensor.clone() for name, tensor in first.history().items()})
        assert before + reports(second, stop + 1, 400) == whole


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_passed_over(value: float) -> None:
    """Losses that are not finite give no line here; a watchdog reports them."""
    oversight = oversight_of(Config(kolmogorov_weight=0.2))
    for step in ((value, 4.0), (0.1, value)):
        assert oversight.trade(dataclasses.replace(RESULT, step_losses=(step,))) is None
    assert reports(oversight, 1, 400)


def test_without_k_there_is_no_monitor() -> None:
    """Without K there is no monitor and no memory of one."""
    oversight = oversight_of(Config())
    assert oversight.monitor is None
    assert (
        oversight.trade(dataclasses.replace(RESULT, kolmogorov_loss=None, step_losses=())) is None
    )
    assert not any(name.startswith("trade") for name in oversight.history())
