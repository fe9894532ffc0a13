"""How often the trade monitor reports noise as a trade, on losses made by formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bitfold.audit import TradeMonitor

Numbers = NDArray[np.float64]
#: The task loss, K and weight of every update.
Losses = tuple[Numbers, Numbers, Numbers]
NUM_UPDATES = 4_000


def correlated(random: Generator, num_updates: int, correlation: float) -> Numbers:
    """Return Gaussian noise of variance 1 whose neighbours correlate."""
    fresh = random.standard_normal(num_updates) * np.sqrt(1 - correlation**2)
    noise = np.empty(num_updates)
    state = random.standard_normal()
    for index, each in enumerate(fresh.tolist()):
        state = correlation * state + each
        noise[index] = state
    return noise


def plateau(random: Generator, num_updates: int, correlation: float) -> Losses:
    """Return a noisy task loss at its minimum, and a K that falls very slowly."""
    k = 4 - 1e-5 * np.arange(num_updates, dtype=np.float64)
    return 0.1 + 0.01 * correlated(random, num_updates, correlation), k, _constant(0.2, k)


def descent(random: Generator, num_updates: int) -> Losses:
    """Return two noisy terms, each falling at its own rate."""
    time = np.arange(num_updates)
    task = 0.1 / (1 + time / 100) + 0.002 * correlated(random, num_updates, 0.5)
    k = 3 + 2 * np.exp(-time / 800) + 0.01 * correlated(random, num_updates, 0.5)
    return task, k, _constant(0.2, k)


def warm_up(random: Generator, num_updates: int) -> Losses:
    """Return a weight that rises for half the time, and a K that rises while it is cheap."""
    time = np.arange(num_updates)
    weight = 0.2 * np.minimum(1.0, 2 * time / num_updates)
    bought = np.exp(-10 * weight)
    k = 3 + bought * (1 - np.exp(-time / 300)) + 0.01 * correlated(random, num_updates, 0.5)
    task = 0.1 * (1 - bought) + 0.3 * np.exp(-time / 300)
    return task + 0.002 * correlated(random, num_updates, 0.5), k, weight


def multiplied(random: Generator, num_updates: int) -> Losses:
    """Return a task loss with noise of half its value, as for small batches of a fitted task."""
    time = np.arange(num_updates)
    task = (0.3 * np.exp(-time / 700) + 1e-3) * np.exp(0.5 * correlated(random, num_updates, 0.3))
    k = 3 + np.exp(-time / 1000) + 0.003 * correlated(random, num_updates, 0.5)
    return task, k, _constant(0.05, k)


def spikes(random: Generator, num_updates: int, every: int, length: float) -> Losses:
    """Return a task loss with occasional spikes, during each of which K falls a little."""
    time = np.arange(num_updates)
    height = np.zeros(num_updates)
    for start in np.flatnonzero(random.random(num_updates) < 1 / every):
        decay = 1 + random.exponential(length)
        height[start:] += random.exponential(0.2) * np.exp(-(time[start:] - start) / decay)
    task = 0.01 + 0.05 * np.exp(-time / 1500) + height
    k = 3 + 0.5 * np.exp(-time / 1000) - 0.3 * height
    task += 0.002 * correlated(random, num_updates, 0.5)
    return task, k + 0.003 * correlated(random, num_updates, 0.5), _constant(0.2, k)


def sawtooth(random: Generator, num_updates: int) -> Losses:
    """Return an oscillation that grows by e^4 and restarts, as at the edge of stability."""
    time = np.arange(num_updates)
    period = int(random.integers(60, 400))
    phase = (time + random.integers(period)) % period / period
    size = 0.02 * np.exp(4 * (phase - 1))
    task = 0.05 * np.exp(-time / 1500) + size * (1 + 0.5 * (-1.0) ** time)
    k = 3 + 0.5 * np.exp(-time / 1000) - size
    task += 0.001 * correlated(random, num_updates, 0.3)
    return task, k + 0.003 * correlated(random, num_updates, 0.3), _constant(0.2, k)


KINDS: Mapping[str, Callable[[Generator, int], Losses]] = {
    **{f"noise, r = {r:g}": partial(plateau, correlation=r) for r in (0.0, 0.5, 0.8, 0.9, 0.95)},
    "both fall": descent,
    "warm-up of lambda": warm_up,
    "noise of half the task loss": multiplied,
    "short spikes": partial(spikes, every=150, length=10.0),
    "long spikes": partial(spikes, every=1000, length=100.0),
    "growing oscillation": sawtooth,
}


def is_alarmed(losses: Losses) -> bool:
    """Return whether a monitor reports a trade in some updates."""
    monitor = TradeMonitor()
    rows = zip(*(column.tolist() for column in losses), strict=True)
    return any(monitor.update(*row) is not None for row in rows)


def noise_alarms(seeds: int, num_updates: int = NUM_UPDATES) -> list[dict[str, Any]]:
    """Return and print the number of runs of each kind that raise an alarm."""
    found = []
    for name, make in KINDS.items():
        losses = (make(np.random.default_rng(seed), num_updates) for seed in range(seeds))
        num_alarms = sum(map(is_alarmed, losses))
        print(f"{name}: {num_alarms} of {seeds} runs of {num_updates:,} updates", flush=True)
        found.append({"kind": name, "alarms": num_alarms, "runs": seeds, "updates": num_updates})
    return found


def _constant(value: float, like: Numbers) -> Numbers:
    return np.full(len(like), value)
