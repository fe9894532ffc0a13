"""Losses and scores of the two tasks."""

from __future__ import annotations

import math

import pytest
import torch

from bitfold.training.step.tasks import ClassificationTask, RegressionTask, make_task


def test_regression_is_the_mean_square_over_points_and_channels() -> None:
    """Regression's loss is the mean square, and its score the PSNR for a peak of 1."""
    task = make_task("regression")
    assert isinstance(task, RegressionTask)
    outputs, wanted = torch.tensor([[0.0, 0.0, 0.3]]), torch.zeros(1, 3)
    loss = task.loss(outputs, wanted)
    assert loss.item() == pytest.approx(0.03)
    assert task.score(loss.item(), task.hits(outputs, wanted).item()) == pytest.approx(15.2288)
    assert task.score_name == "psnr_db"


@pytest.mark.parametrize("loss", [0.0, math.inf, math.nan])
def test_a_ratio_that_is_no_number_is_none(loss: float) -> None:
    """A perfect fit and a broken one have no PSNR."""
    assert RegressionTask().score(loss, 0.0) is None


def test_classification_is_cross_entropy_in_nats_and_a_share() -> None:
    """Classification has the cross-entropy of logits in nats, and the share of right classes."""
    task = make_task("classification")
    assert isinstance(task, ClassificationTask)
    logits = torch.tensor([[0.0, math.log(3.0)], [0.0, 1.0], [2.0, 0.0], [0.0, 5.0]])
    classes = torch.tensor([0, 1, 0, 1])
    assert task.loss(logits[:1], classes[:1]).item() == pytest.approx(math.log(4.0))
    assert task.score(0.0, task.hits(logits, classes).item()) == 0.75
    assert task.score_name == "accuracy"
