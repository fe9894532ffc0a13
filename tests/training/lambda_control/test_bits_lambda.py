"""``bits:N``: lambda moves until the whole description has N bits, in real runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import bitfold
from bitfold.errors import ConfigError
from bitfold.targets import load_target, sample_split
from bitfold.training import Config
from bitfold.training.lambda_control.bits_lambda import (
    SETTLED_EPOCHS,
    STUCK_EPOCHS,
    TOLERANCE,
    BitsLambda,
)
from bitfold.training.step.learner import Learner
from tests.training.training_runs import TINY, WITH_K, Heard, metrics_of, tiny

SMALL: dict[str, Any] = {
    "target": "ring",
    "size": 32,
    "points": 200,
    "validation_points": 50,
    "batch_size": 100,
    "shape": "[8]*3",
    "learning_rate": 0.005,
    "kolmogorov_shape": "[3]",
    "kolmogorov_bins": 32,
    "kolmogorov_lr": 0.01,
    "threads": 1,
}
PER_TENSOR = {
    "kolmogorov_predictor": "per_tensor",
    "kolmogorov_range": "auto",
    "kolmogorov_targets": "linear",
}
#: The bits that no lambda changes, in tests of `BitsLambda` alone.
SIDE_BITS = 500.0


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: in networks so small, two threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def learner_of(**settings: Any) -> Learner:
    """Return a learner before its first epoch."""
    config = Config(**{**SMALL, **settings})
    target = load_target(config.target, size=config.size, task=config.task)
    points = None if config.points == "all" else config.points
    split = sample_split(target, points=points, validation_points=50, batch_size=100, seed=0)
    return Learner(config, target, split)


def schedule_of(num_bits: int = 1000, **settings: Any) -> BitsLambda:
    """Return a controller that begins at lambda 0.01."""
    schedule = BitsLambda(num_bits, SIDE_BITS, lambda: (0.2, 2.0), **settings)
    assert schedule.weight(1) == pytest.approx(0.01)
    return schedule


@pytest.mark.parametrize(
    ("num_bits", "settings"),
    [
        (1950, {}),
        pytest.param(1900, {"seed": 1}, marks=pytest.mark.slow),
        pytest.param(2050, {"seed": 2, "target": "rgb-ring"}, marks=pytest.mark.slow),
        # A dying tensor's scale also leaves at once: 1 % of a description of 1,000 bits.
        (4000, {"seed": 3, "shape": "[16]*4", **PER_TENSOR}),
        pytest.param(
            1950,
            {"seed": 4, "optimizer": "sgd_momentum", "learning_rate": 0.03},
            marks=pytest.mark.slow,
        ),
        pytest.param(1000, {"seed": 5, "kolmogorov_loss_type": "mse"}, marks=pytest.mark.slow),
        (1950, {"seed": 6, "lr_schedule": "cosine", "epochs": 200}),
        pytest.param(1950, {"seed": 7, "kolmogorov_warmup": 40}, marks=pytest.mark.slow),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_real_runs_come_to_their_bits_and_stay(num_bits: int, settings: dict[str, Any]) -> None:
    """From several starts, the description is within 2 % after 100 epochs and stays there.

    Events in a network may push it out for a few epochs, of which at most 5 are allowed.
    """
    learner = learner_of(kolmogorov_weight=f"bits:{num_bits}", **settings)
    bits, notices = [], []
    for epoch in range(1, 201):
        result = learner.run_epoch(epoch)
        assert result is not None
        assert result.description_bits is not None
        bits.append(result.description_bits)
        notices += [result.notice] if result.notice else []
    assert learner.kolmogorov is not None
    assert bits[-1] == pytest.approx(float(learner.kolmogorov.bits()), rel=1e-6)
    outside = [abs(one - num_bits) > TOLERANCE * num_bits for one in bits]
    assert sum(outside[100:]) <= 5
    assert not any(outside[150:])
    (notice,) = notices
    assert f"within 2% of bits:{num_bits}" in notice
    assert learner.weight_schedule.conclusion() is None


@pytest.mark.parametrize("factor", [0.01, pytest.param(1.0, marks=pytest.mark.slow), 50.0])
def test_it_comes_there_from_any_lambda(factor: float) -> None:
    """A first lambda that is wrong by a factor of 50 or 100 costs a few epochs."""
    learner = learner_of(kolmogorov_weight="bits:1950")
    learner.weight_schedule.weight(1)
    start = learner.weight_schedule.history()
    # The second and third numbers are the logarithms of the first and the present lambda.
    assert start[1] == start[2]
    start[2] += math.log(factor)
    learner.weight_schedule.restore(start)
    results = [learner.run_epoch(epoch) for epoch in range(1, 121)]
    found = [one.description_bits for one in results if one is not None]
    assert all(b is not None and abs(b - 1950) <= TOLERANCE * 1950 for b in found[60:])


def simulate(schedule: BitsLambda, gain: float, lag: float, num_epochs: int) -> list[float]:
    """Return the bits of a simulated description that follows lambda with a delay.

    Args:
        schedule: aims at 1000 bits.
        gain: fall of ln(bits that change) for a rise of ln(lambda) by 1.
        lag: epochs in which all but 1/e of the way is gone.
        num_epochs: how many.
    """
    # At a lambda of 0.01 exp(3) the description ends at 1000 bits.
    state, found = math.log(2000.0), []
    for epoch in range(1, num_epochs + 1):
        goal = math.log(500.0) - gain * (math.log(schedule.weight(epoch) / 0.01) - 3.0)
        state += (goal - state) / lag
        found.append(SIDE_BITS + math.exp(state))
        schedule.observe(epoch, 0.1, found[-1])
    return found


@given(st.floats(0.05, 1.0), st.floats(1.0, 60.0))
@example(0.8935772859775317, 1.0)  # swings in errors, hardly in steps
@example(0.8525528054536615, 1.0)
def test_it_comes_to_rest_whatever_the_description_does_of_lambda(gain: float, lag: float) -> None:
    """A description that reacts weakly or strongly, fast or slowly, is brought to its target."""
    found = simulate(schedule_of(), gain, lag, 600)
    assert max(abs(bits - 1000) for bits in found[400:]) <= TOLERANCE * 1000


def test_too_few_bits_are_refused_before_anything_is_on_disk(tmp_path: Path) -> None:
    """The error gives the least bits, which the predictor and the like take alone."""
    learner = learner_of(kolmogorov_weight=0.1)
    assert learner.kolmogorov is not None
    items = learner.kolmogorov.bits().items
    floor = sum(bits for name, bits in items.items() if name not in ("weights", "out_of_range"))
    settings = {**SMALL, "output_dir": str(tmp_path / "run"), "epochs": 1, "audit": False}
    with pytest.raises(ConfigError, match=f"more than the {floor:,.0f} bits") as caught:
        bitfold.train(Config(**settings, kolmogorov_weight=f"bits:{int(floor)}"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
    bitfold.train(Config(**settings, kolmogorov_weight=f"bits:{int(floor) + 1}"))


@pytest.mark.parametrize(("bits", "size"), [(1500.0, "largest"), (800.0, "smallest")])
def test_what_is_out_of_reach_is_said_once(bits: float, size: str) -> None:
    """If lambda is at the end of its range without progress, one line says so and lambda stays."""
    schedule = schedule_of()
    lines = [schedule.observe(epoch, 0.1, bits) for epoch in range(1, 400)]
    (line,) = (one for one in lines if one is not None)
    assert "bits:1000 seems out of reach" in line
    assert f"lambda at its {size}" in line
    assert f"{bits:,.0f} bits" in line
    assert "\n" not in line
    limit = 0.01 * (1e2 if size == "largest" else 1e-4)
    assert schedule.weight(400) == pytest.approx(limit)
    said = next(epoch for epoch, one in enumerate(lines, 1) if one)
    assert said >= STUCK_EPOCHS
    assert schedule.conclusion() == (
        f"bits:1000 was not met: the description has {bits:,.0f} bits, {bits / 1000 - 1:+.1%}."
    )


def test_nothing_is_wound_up_at_the_end_of_the_range() -> None:
    """After any time at the largest lambda, the first epoch below the target lowers lambda."""
    schedule = schedule_of()
    for epoch in range(1, 1000):
        schedule.observe(epoch, 0.1, 1500.0)
    largest = schedule.weight(1000)
    schedule.observe(1000, 0.1, 980.0)
    assert schedule.weight(1001) < largest


def test_slow_progress_is_no_being_stuck() -> None:
    """While the bits still fall, however slowly, no line says that the target is out of reach."""
    schedule = schedule_of()
    lines = [schedule.observe(e, 0.1, 1500.0 * math.exp(-e / 2000)) for e in range(1, 500)]
    assert lines == [None] * 499


def test_being_within_is_said_once_and_after_a_while() -> None:
    """The target counts as met, once, only after the description has stayed near it."""
    schedule = schedule_of()
    values = [*[1000.0] * (SETTLED_EPOCHS - 1), 1021.0, *[985.0] * 30, 1100.0, *[1000.0] * 30]
    lines = [schedule.observe(epoch, 0.1, bits) for epoch, bits in enumerate(values, 1)]
    (found,) = (index for index, line in enumerate(lines) if line is not None)
    assert found == 2 * SETTLED_EPOCHS - 1
    assert "985 bits" in str(lines[found])


def test_a_warm_up_is_looked_on(tmp_path: Path) -> None:
    """During a warm-up, in which lambda rises anyway, the controller does not change it."""
    schedule = schedule_of(num_idle_epochs=5)
    for epoch in range(1, 6):
        schedule.observe(epoch, 0.1, 2000.0)
        assert schedule.weight(epoch + 1) == pytest.approx(0.01)
    schedule.observe(6, 0.1, 2000.0)
    assert schedule.weight(7) > 0.0101
    settings = {**WITH_K, "kolmogorov_weight": "bits:1200", "kolmogorov_warmup": 4}
    bitfold.train(tiny(tmp_path / "run", **settings))
    weights = [line["kolmogorov_weight"] for line in metrics_of(tmp_path / "run")]
    assert weights[:4] == pytest.approx([weights[3] * share for share in (0.25, 0.5, 0.75, 1)])
    assert weights[4] == weights[3] != weights[5]


@pytest.mark.parametrize("bits", [math.nan, math.inf])
def test_a_description_that_is_not_finite_is_passed_over(bits: float) -> None:
    """A description that is not finite leaves lambda unchanged and gives no line."""
    schedule = schedule_of()
    schedule.observe(1, 0.1, 1200.0)
    before = schedule.history()
    assert schedule.observe(2, 0.1, bits) is None
    assert torch.equal(schedule.history(), before) or schedule.history().isnan().any()
    assert schedule.weight(2) == pytest.approx(0.01)


@pytest.mark.parametrize(
    "start", [(math.nan, 2.0), (0.0, 2.0), (0.2, 0.0), (0.2, math.inf), (math.inf, 2.0)]
)
def test_any_start_has_a_lambda(start: tuple[float, float]) -> None:
    """First losses of 0 or infinity still give a finite first lambda."""
    schedule = BitsLambda(1000, SIDE_BITS, lambda: start)
    assert 0 < schedule.weight(1) <= 1


def test_another_target_goes_on_from_the_same_lambda(tmp_path: Path) -> None:
    """With a new target lambda stays, and lines that were printed may be printed again."""
    settings = {**WITH_K, "kolmogorov_weight": "bits:1200"}
    run = bitfold.train(tiny(tmp_path / "run", **settings, epochs=30))
    before = [line["kolmogorov_weight"] for line in metrics_of(run.path)]
    bitfold.resume(run.path, kolmogorov_weight="bits:1150", epochs=32)
    after = [line["kolmogorov_weight"] for line in metrics_of(run.path)]
    assert after[30] == pytest.approx(before[-1], rel=0.4)
    assert after[30] != pytest.approx(before[0], rel=0.4)


def test_a_run_that_misses_says_so_at_its_end(tmp_path: Path) -> None:
    """A run that ends too early prints the missing or surplus bits."""
    heard = Heard()
    settings = {**WITH_K, "kolmogorov_weight": "bits:1001", "epochs": 3}
    run = bitfold.train(tiny(tmp_path / "run", **settings), [heard])
    bits = metrics_of(run.path)[-1]["description_bits"]
    assert heard.notices == [
        f"bits:1001 was not met: the description has {bits:,.0f} bits, {bits / 1001 - 1:+.1%}."
    ]


def test_the_word_is_read_from_text_and_toml() -> None:
    """``bits:N`` is read from text and TOML, in one form."""
    assert Config(kolmogorov_weight="bits:02000").kolmogorov_weight == "bits:2000"
    assert Config(kolmogorov_weight="bits:2000").kolmogorov.target_bits == 2000
    assert Config(kolmogorov_weight="mdl").kolmogorov.target_bits is None
    assert Config(kolmogorov_weight=0.1).kolmogorov.target_bits is None
    assert TINY["epochs"] == 12
    for wrong in ("bits", "bits:", "bits:0", "bits:-3", "bits:2e3", "bits:1.5", "bits:" + "9" * 99):
        with pytest.raises(ConfigError, match="`kolmogorov_weight`"):
            Config(kolmogorov_weight=wrong)
