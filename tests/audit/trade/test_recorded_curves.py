"""The trade monitor on recorded trainings, and on losses that are pure noise."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bitfold.audit import Trade, TradeMonitor

CURVES = Path(__file__).parents[2] / "golden" / "trade"
CUT = sorted(path.stem for path in CURVES.glob("hard-*.npz"))
CORRECT = sorted(path.stem for path in CURVES.glob("soft-*.npz"))
#: `make test` reads one long curve and the short curves, which are of other kinds.
LONG = [name for name in CORRECT if name[5:].isdigit()]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in LONG[1:]]
Losses = Iterator[tuple[float, float, float]]


@cache
def recorded(name: str, unit: str) -> list[tuple[float, float, float]]:
    """Return the task loss, K and weight of each epoch or step of a recorded training."""
    with np.load(CURVES / f"{name}.npz") as arrays:
        weight = float(arrays["weight"])
        return [(task, k, weight) for task, k in arrays[unit].tolist()]


def reported(losses: Losses) -> Trade | None:
    """Return the first trade that a monitor reports."""
    monitor = TradeMonitor()
    return next((trade for each in losses if (trade := monitor.update(*each))), None)


def test_there_are_as_many_curves_as_the_benchmark_trains() -> None:
    """The folder holds five curves of each main kind, and correct curves of other kinds."""
    assert [f"hard-{seed}" for seed in range(5)] == CUT
    assert {f"soft-{seed}" for seed in range(5)} < set(CORRECT)
    assert len(CORRECT) == 10


@pytest.mark.parametrize("name", CUT)
def test_a_cut_is_reported_within_4000_epochs(name: str) -> None:
    """The monitor reports hard binning, under which K rises by more than the task loss falls.

    As in a run of bitfold, the monitor sees each of the five steps of an epoch.
    """
    losses = recorded(name, "steps")
    assert len(losses) == 15_000 < 5 * 4000
    trade = reported(iter(losses))
    assert trade is not None
    assert trade.payer == "K"
    assert trade.paid > 5 * trade.gained > 0
    # The amounts are differences of means between the window's halves, so the curves show them.
    window = np.array(losses[trade.first_update - 1 : trade.last_update])
    half = len(window) // 2
    change = window[half:].mean(axis=0) - window[:half].mean(axis=0)
    assert 0.2 * change[1] == pytest.approx(trade.paid, abs=0.2 * trade.paid)


@pytest.mark.parametrize("name", [*(n for n in CORRECT if n not in LONG[1:]), *SLOW])
def test_a_correct_run_raises_no_alarm(name: str) -> None:
    """Correct runs of 10,000 epochs, and shorter runs with other settings, raise no alarm."""
    losses = recorded(name, "epochs")
    assert len(losses) == (10_000 if name[5:].isdigit() else 1_500)
    assert reported(iter(losses)) is None


@pytest.mark.parametrize("name", [LONG[0], *SLOW])
def test_by_steps_a_correct_run_raises_none_either(name: str) -> None:
    """Correct runs of 2,000 epochs raise no alarm if the monitor sees each of their five steps."""
    losses = recorded(name, "steps")
    assert len(losses) == 10_000
    assert reported(iter(losses)) is None


@pytest.mark.parametrize("name", ["hard-4", "soft-sgd-batch-128"])
def test_a_thousand_times_the_losses_is_the_same_run(name: str) -> None:
    """Losses times 1,000 give the same verdict at the same update."""
    plain = reported(iter(recorded(name, "epochs")))
    scaled = reported((1000 * t, 1000 * k, w) for t, k, w in recorded(name, "epochs"))
    assert (plain is None) == (scaled is None)
    if plain is not None and scaled is not None:
        assert scaled.last_update == plain.last_update
        assert scaled.paid == pytest.approx(1000 * plain.paid)


def noise(source: random.Random, correlation: float = 0.5) -> Iterator[float]:
    """Return noise of variance 1 whose neighbours correlate."""
    state, fresh = source.gauss(), math.sqrt(1 - correlation**2)
    while True:
        state = correlation * state + fresh * source.gauss()
        yield state


def pure_noise(source: random.Random) -> Losses:
    """Return two terms without any trend."""
    task, k = noise(source), noise(source)
    yield from ((0.1 + 0.01 * next(task), 4 + 0.02 * next(k), 0.2) for _ in range(1000))


def slow_drift(source: random.Random) -> Losses:
    """Return two terms that fall, each at its own rate."""
    task, k = noise(source), noise(source)
    for update in range(1000):
        fallen = 0.02 * math.exp(-update / 2000) + 0.002 * next(task)
        yield fallen, 3 + 0.5 * math.exp(-update / 500) + 0.01 * next(k), 0.2


def warm_up(source: random.Random) -> Losses:
    """Return a K that rises while its weight is small, and later falls at the task loss's cost."""
    task, k = noise(source), noise(source)
    for update in range(1000):
        weight = 0.2 * min(1.0, update / 500)
        bought, begun = math.exp(-10 * weight), 1 - math.exp(-update / 100)
        fallen = 0.1 * (1 - bought) + 0.3 * (1 - begun) + 0.002 * next(task)
        yield fallen, 3 + bought * begun + 0.01 * next(k), weight


def fitted(source: random.Random) -> Losses:
    """Return a task loss fitted to small batches: its noise is half of its value."""
    task, k = noise(source, 0.3), noise(source)
    for update in range(1000):
        left = (0.3 * math.exp(-update / 200) + 1e-3) * math.exp(0.5 * next(task))
        yield left, 3 + math.exp(-update / 400) + 0.003 * next(k), 0.05


def spikes(source: random.Random) -> Losses:
    """Return a task loss with a spike in 1 of 100 updates; K falls a little during each spike."""
    task, k, height = noise(source), noise(source), 0.0
    for _ in range(1000):
        height *= 0.93
        if source.random() < 0.01:
            height += source.expovariate(5.0)
        yield 0.02 + height + 0.002 * next(task), 3 - 0.3 * height + 0.01 * next(k), 0.2


@pytest.mark.parametrize("make", [pure_noise, slow_drift, warm_up, fitted, spikes])
def test_noise_raises_no_alarm(make: Callable[[random.Random], Losses]) -> None:
    """No alarm is raised in 200 runs of 1,000 updates of each kind of noise."""
    alarms = [seed for seed in range(200) if reported(make(random.Random(seed))) is not None]
    assert alarms == []
