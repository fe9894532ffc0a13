"""Tests of the trade monitor: it reports a trade once, and never noise, in any unit and loop."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from bitfold.audit import Trade, TradeMonitor
from bitfold.errors import AuditError

Losses = tuple[float, float, float]


def correlated(random_source: random.Random, correlation: float) -> Callable[[], float]:
    """Return a source of noise of variance 1 whose neighbours correlate."""
    state = random_source.gauss()
    fresh = math.sqrt(1 - correlation**2)

    def draw() -> float:
        nonlocal state
        state = correlation * state + fresh * random_source.gauss()
        return state

    return draw


def first_trade(losses: Iterable[Losses], monitor: TradeMonitor | None = None) -> Trade | None:
    """Return the first trade that a monitor reports in some updates."""
    monitor = TradeMonitor() if monitor is None else monitor
    return next((trade for each in losses if (trade := monitor.update(*each))), None)


def trading(
    seed: int, *, k_slope: float, task_slope: float, num_updates: int = 3000, scale: float = 1.0
) -> list[Losses]:
    """Return updates that descend up to the middle, then trade a given amount each."""
    noise = correlated(random.Random(seed), 0.5)
    middle = num_updates // 2
    losses = []
    for update in range(num_updates):
        since = max(0, update - middle)
        fall = math.exp(-update / 200)
        task = 0.05 + 0.1 * fall + task_slope * since + 0.001 * noise()
        k = 4.0 + fall + k_slope * since + 0.005 * noise()
        losses.append((scale * task, scale * k, 0.2))
    return losses


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("slopes", "payer"),
    [
        ({"k_slope": 4e-5, "task_slope": -2e-6}, "K"),
        ({"k_slope": -1e-5, "task_slope": 8e-6}, "task"),
    ],
)
def test_a_trade_is_reported_with_its_payer(seed: int, slopes: dict[str, Any], payer: str) -> None:
    """Either term may pay; the report names both amounts and a window after the beginning."""
    trade = first_trade(trading(seed, **slopes))
    assert trade is not None
    assert trade.payer == payer
    assert trade.paid > trade.gained > 0
    assert 1500 < trade.last_update <= 3000
    assert trade.first_update < trade.last_update
    assert trade.num_errors > 5


def test_the_amounts_are_those_of_the_window() -> None:
    """Without noise an even slope changes by half the window from one half to the other."""
    losses = [(1 - 1e-4 * update, 2 + 1e-3 * update, 0.5) for update in range(500)]
    trade = first_trade(losses)
    assert trade is not None
    half = (trade.last_update - trade.first_update + 1) / 2
    assert trade.paid == pytest.approx(0.5 * 1e-3 * half)
    assert trade.gained == pytest.approx(1e-4 * half)


def test_a_trade_is_reported_once() -> None:
    """A monitor reports one trade only, also if a second one follows."""
    monitor = TradeMonitor()
    found = [monitor.update(*each) for each in trading(0, k_slope=1e-4, task_slope=-1e-6) * 2]
    assert sum(each is not None for each in found) == 1


def test_a_trade_reads_as_one_sentence() -> None:
    """The message names both amounts and the term whose gradient may be missing."""
    text = str(Trade("task", 0.02, 0.001, 10, 137, 6.25))
    assert text == (
        "From update 10 to 137 the task loss rose by 0.02 while the weighted K fell by only 0.001, "
        "and noise does not explain it (6.2 standard errors): the task loss's gradient may not "
        "arrive."
    )


@pytest.mark.parametrize("factor", [1000.0, 1e-6, 2.0**40])
@pytest.mark.parametrize("seed", range(3))
def test_the_unit_of_the_losses_does_not_matter(seed: int, factor: float) -> None:
    """Scaling both losses scales the reported amounts and changes nothing else."""
    slopes: dict[str, Any] = {"k_slope": 4e-5, "task_slope": -2e-6}
    plain = first_trade(trading(seed, **slopes))
    scaled = first_trade(trading(seed, **slopes, scale=factor))
    assert plain is not None
    assert scaled is not None
    assert (scaled.payer, scaled.last_update) == (plain.payer, plain.last_update)
    assert scaled.paid == pytest.approx(factor * plain.paid)
    assert scaled.num_errors == pytest.approx(plain.num_errors)


@pytest.mark.parametrize("fair", [1.0, 1.5])
def test_a_trade_that_gains_is_none(fair: float) -> None:
    """K may rise as long as the task loss falls by as much or more."""
    rise = 2e-5
    losses = trading(0, k_slope=rise, task_slope=-fair * 0.2 * rise)
    assert first_trade(losses) is None


def test_a_rise_of_both_terms_is_no_trade() -> None:
    """Divergence is not a trade: nothing is gained."""
    losses = [(1 + 1e-3 * update, 4 + 1e-3 * update, 0.1) for update in range(2000)]
    assert first_trade(losses) is None


def test_a_weight_of_zero_pays_nothing() -> None:
    """K is free to rise when it is not part of the loss."""
    losses = [(1 - 1e-5 * update, 4 + 1e-3 * update, 0.0) for update in range(2000)]
    assert first_trade(losses) is None


def test_a_warm_up_of_the_weight_is_no_trade() -> None:
    """The weighted K rises with the weight, and K itself rises while it is cheap."""
    noise = correlated(random.Random(0), 0.5)
    losses = []
    for update in range(6000):
        weight = 0.2 * min(1.0, update / 3000)
        # K at the minimum of a fair exchange: the more it costs, the less of it is bought.
        k = 3 + math.exp(-10 * weight) * (1 - math.exp(-update / 300))
        task = 0.1 * (1 - math.exp(-10 * weight)) + 0.3 * math.exp(-update / 300)
        losses.append((task + 0.001 * noise(), k + 0.002 * noise(), weight))
    assert first_trade(losses) is None


def test_a_change_of_the_weight_hides_no_trade() -> None:
    """K is paid at the weight of each update, also while that falls."""
    losses = [
        (0.05 - 1e-7 * update, 4 + 1e-3 * update, 0.2 * 0.9995**update) for update in range(2000)
    ]
    trade = first_trade(losses)
    assert trade is not None
    assert trade.payer == "K"


def not_finite(losses: Sequence[Losses]) -> list[Losses]:
    """Put NaN and infinity among some losses, at every position."""
    spoilt = list(losses)
    odd = (math.nan, math.inf, -math.inf, 1e300)
    for index in range(0, len(spoilt), 7):
        values = list(spoilt[index])
        values[index // 7 % 3] = odd[index // 21 % 4]
        spoilt[index] = (values[0], values[1], values[2])
    return spoilt


def test_losses_that_are_not_finite_are_passed_over() -> None:
    """Numbers that are not finite neither raise, nor hide a trade, nor make one."""
    assert first_trade(not_finite(trading(0, k_slope=-1e-5, task_slope=-1e-6))) is None
    trade = first_trade(not_finite(trading(0, k_slope=1e-4, task_slope=-1e-6)))
    assert trade is not None
    assert trade.last_update <= 3000


def test_numbers_at_the_limits_crash_nothing() -> None:
    """Huge, tiny and constant losses raise no error."""
    for value in (0.0, 5e-324, 1e-200, 9e99, -9e99):
        assert first_trade([(value, value, 1.0)] * 200) is None
        assert first_trade([(value, -value, 1.0), (-value, value, 1e99)] * 200) is None


def test_a_jump_is_no_trade() -> None:
    """A loss that jumps once and stays high, after a slip or new data, is no trade."""
    noise = correlated(random.Random(0), 0.5)
    for decay in (math.inf, 100.0):
        losses = []
        for update in range(3000):
            slip = 0.1 * math.exp(-max(0, update - 1500) / decay) if update >= 1500 else 0.0
            losses.append((0.05 + slip + 0.002 * noise(), 4 - 0.2 * slip + 0.01 * noise(), 0.2))
        assert first_trade(losses) is None


def test_it_takes_tensors_and_arrays() -> None:
    """The monitor takes arrays, and tensors with a gradient, without a warning."""
    import numpy as np
    import torch

    losses = trading(1, k_slope=1e-4, task_slope=-1e-6)
    expected = first_trade(losses)
    assert expected is not None
    for make in (lambda x: torch.tensor(x, dtype=torch.float64, requires_grad=True), np.float64):
        monitor = TradeMonitor()
        found = (monitor.update(make(task), make(k), weight) for task, k, weight in losses)
        assert next((trade for trade in found if trade is not None), None) == expected


@pytest.mark.parametrize("cut", [0, 1, 63, 1000, 1601, 2999])
def test_a_restored_monitor_goes_on_bit_for_bit(cut: int) -> None:
    """A monitor restored from its history reports the same trade at the same update."""
    losses = not_finite(trading(2, k_slope=1e-4, task_slope=-1e-6))
    whole, before, after = TradeMonitor(), TradeMonitor(), TradeMonitor()
    expected = [whole.update(*each) for each in losses]
    found = [before.update(*each) for each in losses[:cut]]
    after.restore(before.history())
    found += [after.update(*each) for each in losses[cut:]]
    assert found == expected
    assert any(expected)
    assert after.history() == whole.history()


def test_memory_is_bounded() -> None:
    """The history grows only with the logarithm of the number of updates."""
    monitor = TradeMonitor()
    sizes = {}
    for update in range(1, 2**14 + 1):
        monitor.update(1 / update, 3 + 1 / update, 0.1)
        if update in (2**12, 2**13, 2**14):
            sizes[update] = len(monitor.history())
    assert sizes[2**14] - sizes[2**13] == sizes[2**13] - sizes[2**12] == 112 * 3
    assert len(monitor.history()) <= 8071


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_errors": 0.0}, "num_errors to be from 1 to 1e+06, got 0.0"),
        ({"num_errors": math.nan}, "num_errors to be from 1 to 1e+06, got nan"),
        ({"correlated_updates": 0.5}, "correlated_updates to be from 1 to 1e+06, got 0.5"),
        ({"correlated_updates": math.inf}, "correlated_updates to be from 1 to 1e+06, got inf"),
    ],
)
def test_settings_out_of_bounds_are_refused(settings: dict[str, Any], message: str) -> None:
    """An argument out of bounds raises an error of one line that says how to continue."""
    with pytest.raises(AuditError) as caught:
        TradeMonitor(**settings)
    assert str(caught.value) == (
        f"Cannot make a trade monitor: expected {message}. Leave it out for the default."
    )


def test_a_negative_weight_is_refused() -> None:
    """A negative weight raises, since it would turn a gain into a payment."""
    with pytest.raises(AuditError, match=r"expected a weight of at least 0, got -0\.1\. Give the"):
        TradeMonitor().update(1.0, 4.0, -0.1)


@pytest.mark.parametrize("damage", [lambda h: h[:-1], lambda h: [*h, 0.0], lambda h: h[:3]])
def test_half_a_history_is_refused(damage: Callable[[list[float]], list[float]]) -> None:
    """A truncated or foreign history raises an error and leaves the monitor unchanged."""
    monitor, other = TradeMonitor(), TradeMonitor()
    for _ in range(100):
        other.update(1.0, 2.0, 0.1)
    with pytest.raises(AuditError, match="Cannot restore a trade monitor: expected"):
        monitor.restore(damage(other.history()))
    assert monitor.history() == TradeMonitor().history()
