"""Lambda by description length: the gradient of combined is that of the whole length."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import bitfold
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.targets import load_target, sample_split
from bitfold.training import Config
from bitfold.training.lambda_control.mdl_lambda import (
    MAX_NOISE_VARIANCE,
    MIN_NOISE_VARIANCE,
    MdlLambda,
    classification_weight,
    regression_weight,
)
from bitfold.training.step.learner import Learner
from tests.training.training_runs import TINY, WITH_K, metrics_of, tiny

NUM_POINTS, NUM_CHANNELS = 40, 3
MDL = {**WITH_K, "kolmogorov_weight": "mdl"}


class Problem:
    """A network with its K in float64, and points for both tasks."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(3)
        self.network = nn.Sequential(
            nn.Linear(2, 5), nn.LeakyReLU(), nn.Linear(5, NUM_CHANNELS)
        ).double()
        for parameter in self.network.parameters():
            parameter.data = 0.2 * torch.randn(
                parameter.shape, generator=generator, dtype=torch.float64
            )
        self.kolmogorov = KolmogorovLoss(
            self.network, predictor="coordinate", predictor_shape=(3,), bins=16, generator=generator
        )
        self.points = torch.randn(NUM_POINTS, 2, generator=generator, dtype=torch.float64)
        self.values = 0.4 * torch.rand(
            NUM_POINTS, NUM_CHANNELS, generator=generator, dtype=torch.float64
        )
        self.classes = torch.randint(NUM_CHANNELS, (NUM_POINTS,), generator=generator)
        self.parameters = [*self.network.parameters(), *self.kolmogorov.parameters()]

    @property
    def num_weights(self) -> int:
        """Return the number of weights."""
        return self.kolmogorov.num_weights

    def weights_nats(self) -> Tensor:
        """Return the nats of the network."""
        result: Tensor = self.num_weights * self.kolmogorov()
        return result

    def slope(self, value: Callable[[], Tensor], direction: list[Tensor]) -> float:
        """Return the central difference of a value along a direction."""
        step, found = 1e-6, []
        for sign in (1, -1, -1, 1):
            for parameter, part in zip(self.parameters, direction, strict=True):
                parameter.data += sign * step * part
            found.append(value().item())
        return (found[0] - found[2]) / (2 * step)

    def assert_gradient(
        self, combined: Callable[[], Tensor], length: Callable[[], Tensor], factor: float
    ) -> None:
        """Assert that ``factor`` times combined's gradient is the length's slope."""
        generator = torch.Generator().manual_seed(0)
        gradients = torch.autograd.grad(combined(), self.parameters)
        for _ in range(5):
            direction = [
                torch.randn(p.shape, generator=generator, dtype=torch.float64)
                for p in self.parameters
            ]
            pairs = zip(gradients, direction, strict=True)
            wanted = factor * sum(float((g * d).sum()) for g, d in pairs)
            assert self.slope(length, direction) == pytest.approx(wanted, rel=1e-6)


def test_classification_combined_is_the_length_per_point() -> None:
    """n times combined is the nats of all classes and all weights, and so is its slope."""
    one = Problem()
    weight = classification_weight(one.num_weights, NUM_POINTS)

    def length() -> Tensor:
        chances = one.network(one.points).softmax(1)[torch.arange(NUM_POINTS), one.classes]
        result: Tensor = -chances.log().sum() + one.weights_nats()
        return result

    def combined() -> Tensor:
        task = functional.cross_entropy(one.network(one.points), one.classes)
        result: Tensor = task + weight * one.kolmogorov()
        return result

    assert NUM_POINTS * combined().item() == pytest.approx(length().item(), rel=1e-12)
    one.assert_gradient(combined, length, NUM_POINTS)


@pytest.mark.parametrize("std", [0.01, 0.2, 3.0])
def test_regression_combined_has_the_slope_of_a_gaussian_length(std: float) -> None:
    """With given noise, combined is the length times 2 v / M up to a constant."""
    one = Problem()
    num_values = NUM_POINTS * NUM_CHANNELS
    weight = regression_weight(one.num_weights, num_values, std**2)

    def length() -> Tensor:
        noise = torch.distributions.Normal(one.network(one.points), std)
        nats: Tensor = -noise.log_prob(one.values).sum()  # type: ignore[no-untyped-call] # torch leaves it untyped
        return nats + one.weights_nats()

    def combined() -> Tensor:
        task = functional.mse_loss(one.network(one.points), one.values)
        result: Tensor = task + weight * one.kolmogorov()
        return result

    factor = num_values / (2 * std**2)
    constant = num_values / 2 * math.log(2 * math.pi * std**2)
    assert factor * combined().item() + constant == pytest.approx(length().item(), rel=1e-10)
    one.assert_gradient(combined, length, factor)


def test_learned_noise_gives_the_slope_of_the_best_gaussian_length() -> None:
    """With learned noise, the slope at each point is that of the length under the best variance."""
    one = Problem()
    num_values = NUM_POINTS * NUM_CHANNELS

    def task() -> Tensor:
        return functional.mse_loss(one.network(one.points), one.values)

    def length() -> Tensor:
        return num_values / 2 * (task() * 2 * math.pi * math.e).log() + one.weights_nats()

    variance = min(task().item(), MAX_NOISE_VARIANCE)
    assert variance == task().item()
    schedule = MdlLambda(one.num_weights, num_values, lambda: variance)

    def combined() -> Tensor:
        result: Tensor = task() + schedule.weight(1) * one.kolmogorov()
        return result

    # The shortest length is that of a normal distribution with this standard deviation.
    noise = torch.distributions.Normal(one.network(one.points), math.sqrt(variance))
    nats = -noise.log_prob(one.values).sum() + one.weights_nats()  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert length().item() == pytest.approx(nats.item(), rel=1e-10)
    one.assert_gradient(combined, length, num_values / (2 * variance))


@pytest.mark.parametrize(
    ("task", "variance"),
    [
        (1e-30, MIN_NOISE_VARIANCE),
        (0.0, MIN_NOISE_VARIANCE),
        (0.01, 0.01),
        (1e30, MAX_NOISE_VARIANCE),
        (math.inf, 0.02),
        (math.nan, 0.02),
    ],
)
def test_lambda_stays_within_bounds(task: float, variance: float) -> None:
    """Neither a perfect fit nor a diverging network takes lambda out of its bounds."""
    schedule = MdlLambda(100, 50, lambda: 0.02)
    assert schedule.weight(1) == regression_weight(100, 50, 0.02)
    schedule.observe(1, task, 1000.0)
    assert schedule.weight(2) == regression_weight(100, 50, variance)


def test_a_start_that_is_not_finite_gets_the_largest_lambda() -> None:
    """A first loss that is not finite gives the largest lambda."""
    schedule = MdlLambda(100, 50, lambda: math.nan)
    assert schedule.weight(1) == regression_weight(100, 50, MAX_NOISE_VARIANCE)
    assert schedule.history().numel() == 0


def test_classes_have_one_lambda(tmp_path: Path) -> None:
    """In every epoch lambda is the number of weights over that of training points."""
    run = bitfold.train(tiny(tmp_path / "run", target="rgb-ring", **MDL))
    num_weights = sum(p.numel() for p in run.network().parameters())
    assert {line["kolmogorov_weight"] for line in metrics_of(run.path)} == {num_weights / 50}


def test_values_have_a_lambda_that_follows_the_error(tmp_path: Path) -> None:
    """Each epoch's lambda is 2 mse N / M by the previous epoch's mse, first the initial mse."""
    run = bitfold.train(tiny(tmp_path / "run", **MDL))
    lines = metrics_of(run.path)
    num_weights = sum(p.numel() for p in run.network().parameters())
    start = run.network(0)
    points = torch.from_numpy(run.target.grid.coordinates(run.split.training))
    wanted = torch.from_numpy(run.target.values(run.split.training))
    first = functional.mse_loss(start(points), wanted).item()
    errors = [first, *(line["task_loss"] for line in lines[:-1])]
    weights = [regression_weight(num_weights, 50, min(error, 0.25)) for error in errors]
    assert [line["kolmogorov_weight"] for line in lines] == pytest.approx(weights, rel=1e-5)
    assert len(set(weights)) > 1


def test_noise_that_is_given_is_taken(tmp_path: Path) -> None:
    """With ``kolmogorov_noise_std`` lambda stays at the value of that noise."""
    run = bitfold.train(tiny(tmp_path / "run", **MDL, kolmogorov_noise_std=0.1))
    num_weights = sum(p.numel() for p in run.network().parameters())
    wanted = regression_weight(num_weights, 50, 0.1**2)
    assert {line["kolmogorov_weight"] for line in metrics_of(run.path)} == {wanted}


def test_the_step_has_the_gradient_of_the_length() -> None:
    """A learner's step under mdl follows the gradient of the whole length in every parameter."""
    settings: dict[str, Any] = {**TINY, **MDL, "target": "rgb-ring", "batch_size": 50}
    settings |= {"optimizer": "sgd", "learning_rate": 1e-3, "kolmogorov_temperature": 1.0}
    config = Config(**settings)
    target = load_target(config.target, size=config.size, task=config.task)
    split = sample_split(target, points=50, batch_size=50, seed=0)
    learner = Learner(config, target, split)
    assert learner.kolmogorov is not None
    own = list(learner.network.parameters())
    task, k = (term() for term in learner.objective.terms().values())
    length = 50 * task + learner.kolmogorov.num_weights * k
    gradients = torch.autograd.grad(length, own)
    before = [p.detach().clone() for p in own]
    learner.run_epoch(1)
    for old, new, gradient in zip(before, own, gradients, strict=True):
        # One step of SGD over all points changes parameters by the rate times the length per point.
        assert torch.allclose(old - new.detach(), 1e-3 * gradient / 50, rtol=1e-2, atol=1e-7)
