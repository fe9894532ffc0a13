"""Lambda by epoch: the configured value is used and written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import bitfold
from bitfold.targets import load_target, sample_split
from bitfold.training import Config
from bitfold.training.lambda_control.lambda_schedule import ConstantLambda, WarmUp
from bitfold.training.step.learner import Learner
from tests.training.training_runs import TINY, WITH_K, metrics_of, tiny


def learner_of(**settings: Any) -> Learner:
    """Return a learner before its first epoch."""
    config = Config(**{**TINY, **settings})
    target = load_target(config.target, size=config.size, task=config.task)
    return Learner(
        config, target, sample_split(target, points=50, validation_points=20, batch_size=16, seed=0)
    )


def test_a_number_stays_as_it_is(tmp_path: Path) -> None:
    """Every line of metrics has the constant lambda, and combined is task + lambda K."""
    bitfold.train(tiny(tmp_path / "run", **WITH_K))
    for line in metrics_of(tmp_path / "run"):
        assert line["kolmogorov_weight"] == 0.05
        combined = line["task_loss"] + 0.05 * line["kolmogorov_loss"]
        assert line["combined_loss"] == pytest.approx(combined, rel=1e-12)


def test_without_k_it_is_zero(tmp_path: Path) -> None:
    """Without a predictor lambda is 0 for any configuration."""
    for number, weight in enumerate((0.5, "mdl", "bits:100000")):
        folder = tmp_path / str(number)
        settings = {"kolmogorov_weight": weight, "kolmogorov_shape": "none"}
        bitfold.train(tiny(folder, **settings, epochs=2))
        lines = metrics_of(folder)
        assert [line["kolmogorov_weight"] for line in lines] == [0.0, 0.0]
        assert [line["kolmogorov_loss"] for line in lines] == [None, None]


def test_a_warm_up_rises_on_a_line(tmp_path: Path) -> None:
    """A warm-up rises linearly from 0 before the first epoch to the weight in its last epoch."""
    bitfold.train(tiny(tmp_path / "run", **{**WITH_K, "kolmogorov_warmup": 5}))
    weights = [line["kolmogorov_weight"] for line in metrics_of(tmp_path / "run")]
    assert weights == pytest.approx([0.01, 0.02, 0.03, 0.04, *[0.05] * 8])


def test_a_warm_up_is_what_the_steps_see() -> None:
    """An epoch of a warm-up equals, bit for bit, an epoch with that constant lambda."""
    warming = learner_of(**{**WITH_K, "kolmogorov_weight": 0.4, "kolmogorov_warmup": 4})
    plain = learner_of(**{**WITH_K, "kolmogorov_weight": 0.1})
    other = learner_of(**{**WITH_K, "kolmogorov_weight": 0.4})
    for learner in (warming, plain, other):
        learner.run_epoch(1)
    assert torch.equal(warming.flat_weights(), plain.flat_weights())
    assert not torch.equal(warming.flat_weights(), other.flat_weights())


def test_a_warm_up_of_mdl_shows_it_every_epoch() -> None:
    """A warm-up scales mdl's lambda, which follows the observed error all the while."""
    settings = {**WITH_K, "kolmogorov_weight": "mdl"}
    warming, plain = learner_of(**settings, kolmogorov_warmup=2), learner_of(**settings)
    assert warming.weight_schedule.weight(1) == plain.weight_schedule.weight(1) / 2
    for learner in (warming, plain):
        learner.weight_schedule.observe(1, 0.004, 1000.0)
    assert warming.weight_schedule.weight(2) == plain.weight_schedule.weight(2)


def test_memory_passes_through_a_warm_up() -> None:
    """A constant has no memory, and neither has a warm-up to a constant."""
    for schedule in (ConstantLambda(1.0), WarmUp(ConstantLambda(1.0), 3)):
        assert schedule.history().numel() == 0
        schedule.restore(schedule.history())
        assert schedule.conclusion() is None
        assert schedule.weight(3) == 1.0
