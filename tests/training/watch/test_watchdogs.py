"""Each watchdog ends a run in its own case, and no healthy run."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import pytest
import torch

from bitfold.training.watch.watchdogs import (
    CONSTANT_SPREAD,
    FiniteWatchdog,
    LoopWatchdog,
    Observation,
    StagnationWatchdog,
    Watchdog,
    make_watchdogs,
)


def seen(
    epoch: int, *, loss: float = 1.0, weights: Iterable[float] | None = None, spread: float = 1.0
) -> Observation:
    """Return an epoch, by default with weights of its own."""
    flat = torch.tensor([float(epoch), 0.5] if weights is None else list(weights))
    return Observation(epoch, {"task_loss": loss, "combined_loss": loss}, flat, spread)


def stagnating(epochs: int) -> list[Observation]:
    """Return a loss that falls and stops, and an output that becomes constant."""
    return [
        seen(e, loss=max(0.2, 1 - 0.02 * e), spread=1.0 if e < 50 else 1e-5)
        for e in range(1, epochs + 1)
    ]


def first_bark(watchdog: Watchdog, observations: Iterable[Observation]) -> tuple[int, str] | None:
    """Return the first epoch at which a watchdog ends the run, and the reason."""
    for one in observations:
        reason = watchdog.inspect(one)
        if reason is not None:
            return one.epoch, reason
    return None


def test_a_healthy_run_hears_nothing() -> None:
    """No watchdog ends a run of a falling, noisy loss, moving weights and a varying output."""
    noise = random.Random(0)
    for watchdog in make_watchdogs(()):
        losses = (1 / epoch + 0.01 * noise.random() for epoch in range(1, 400))
        healthy = (seen(e, loss=loss) for e, loss in enumerate(losses, start=1))
        assert first_bark(watchdog, healthy) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_named(value: float) -> None:
    """The reason names the term, the value and the epoch of a loss that is not finite."""
    found = first_bark(FiniteWatchdog(), [seen(1), seen(2, loss=value)])
    assert found == (2, f"task_loss is {value} at epoch 2")


def test_a_weight_that_is_not_finite_ends_the_run_too() -> None:
    """A weight that is not finite ends the run, though the loss may still be finite."""
    found = first_bark(FiniteWatchdog(), [seen(1), seen(2, weights=[1.0, math.nan])])
    assert found == (2, "a weight is not finite at epoch 2")


@pytest.mark.parametrize("earlier", [1, 3, 5])
def test_weights_of_an_earlier_epoch_are_a_loop(earlier: int) -> None:
    """Weights equal to those of any earlier epoch are a loop, and the reason names the epoch."""
    epochs = [seen(e) for e in range(1, 6)]
    found = first_bark(LoopWatchdog(), [*epochs, seen(6, weights=[float(earlier), 0.5])])
    assert found is not None
    assert found[0] == 6
    assert f"those of epoch {earlier}:" in found[1]


def test_weights_that_differ_in_a_bit_are_no_loop() -> None:
    """Weights that differ in a single bit are no loop."""
    one = torch.tensor(1.0)
    epochs = [seen(1, weights=[1.0]), seen(2, weights=[float(torch.nextafter(one, one + 1))])]
    assert first_bark(LoopWatchdog(), epochs) is None


def test_a_constant_output_and_a_flat_loss_for_30_epochs_are_stagnation() -> None:
    """A constant output and a flat loss, both for 30 epochs, end the run, and not sooner."""
    found = first_bark(StagnationWatchdog(), stagnating(200))
    assert found is not None
    assert found[0] == 79  # constant from 50 to 79; the loss has been flat since 40


@pytest.mark.parametrize(
    "alive",
    [
        [seen(e, loss=0.2, spread=2 * CONSTANT_SPREAD) for e in range(1, 200)],
        [seen(e, loss=0.999**e, spread=0.0) for e in range(1, 200)],
        [seen(e, loss=-1 - 0.001 * e, spread=0.0) for e in range(1, 200)],
        [seen(e, loss=0.2, spread=float(e % 30 == 0)) for e in range(1, 200)],
        [seen(e, loss=0.2, spread=0.0) for e in range(1, 60)],
    ],
    ids=["lively output", "falling loss", "loss below 0", "output now and then", "too short"],
)
def test_one_of_the_two_alone_is_no_stagnation(alive: list[Observation]) -> None:
    """A constant output alone, or a flat loss alone, does not end the run."""
    assert first_bark(StagnationWatchdog(), alive) is None


@pytest.mark.parametrize("name", ["finite", "loop", "stagnation"])
@pytest.mark.parametrize("cut", [0, 1, 40, 75, 78])
def test_a_restored_memory_goes_on_as_before(name: str, cut: int) -> None:
    """A watchdog restored from a checkpoint's history ends the run at the same epoch."""
    course = [*stagnating(90), seen(91, weights=[3.0, 0.5]), seen(92, loss=math.nan)]
    (whole,) = make_watchdogs(tuple({"finite", "loop", "stagnation"} - {name}))
    (first,) = make_watchdogs(tuple({"finite", "loop", "stagnation"} - {name}))
    (second,) = make_watchdogs(tuple({"finite", "loop", "stagnation"} - {name}))
    expected = first_bark(whole, course)
    assert first_bark(first, course[:cut]) is None
    second.restore(first.history().clone())
    assert torch.equal(second.history(), first.history())
    assert first_bark(second, course[cut:]) == expected
    assert expected is not None


def test_a_watchdog_can_be_switched_off() -> None:
    """A watchdog can be switched off by name, and each has its own exit code."""
    assert [w.name for w in make_watchdogs(("loop",))] == ["finite", "stagnation"]
    assert len({w.exit_code for w in make_watchdogs(())} | {0, 1, 2}) == 6
