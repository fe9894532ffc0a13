"""Two learners in one state: one steps in PyTorch, the other in compiled epochs."""

from __future__ import annotations

from typing import Any

import torch

from bitfold.targets import load_target, sample_split
from bitfold.training import Config
from bitfold.training.step.learner import Learner

SMALL: dict[str, Any] = {
    "target": "ring", "size": 32, "points": 600, "batch_size": 256, "shape": "[10]*3", "threads": 1,
}  # fmt: skip


def learner_of(epoch_loop: str, **settings: Any) -> Learner:
    """Return a new learner; ``epoch_loop`` chooses how it trains."""
    config = Config(**{**SMALL, **settings}).settled()
    target = load_target(config.target, size=config.size, task=config.task)
    split = sample_split(
        target,
        points=config.points,
        validation_points=config.validation_points,
        batch_size=config.batch_size,
        seed=config.seed,
    )
    settled = config.replace(task=target.task, epoch_loop=epoch_loop)
    learner = Learner(settled, target, split)
    assert (learner._epoch_loop is not None) == (epoch_loop == "compiled")
    return learner


def both(**settings: Any) -> tuple[Learner, Learner]:
    """Return two learners with the same settings; the first steps in PyTorch."""
    return learner_of("stepwise", **settings), learner_of("compiled", **settings)


def weights_of(learner: Learner) -> torch.Tensor:
    """Return all parameters of network and predictor, in float64."""
    return learner.flat_weights().double()
