"""The points of a run, batch by batch."""

from __future__ import annotations

import pytest
import torch

from tests.training.training_runs import learner_of


def test_every_point_is_seen_once_an_epoch_in_a_new_order() -> None:
    """An epoch has every point once, in a new seeded order, and its last batch may be short."""
    learner = learner_of(points=50)
    data = learner.objective.data
    epochs = [[points for points, _ in data.shuffled_batches(learner.order)] for _ in range(2)]
    assert [len(batch) for batch in epochs[0]] == [16, 16, 16, 2]
    first, second = (torch.cat(batches) for batches in epochs)
    assert not torch.equal(first, second)
    stored = data.points
    assert sorted(first.tolist()) == sorted(second.tolist()) == sorted(stored.tolist())
    other = learner_of(points=50)
    again = [points for points, _ in other.objective.data.shuffled_batches(other.order)]
    assert torch.equal(torch.cat(again), first)


def test_a_measurement_takes_larger_batches_and_gives_the_same_loss() -> None:
    """Stored batches are in order, at least as large as asked for; the mean is over all points."""
    learner = learner_of(points=50, kolmogorov_weight=0.01)
    objective = learner.objective
    data = objective.data
    assert [len(points) for points, _ in data.stored_batches()] == [16, 16, 16, 2]
    assert [len(points) for points, _ in data.stored_batches(at_least=20)] == [20, 20, 10]
    assert torch.equal(torch.cat([points for points, _ in data.stored_batches(20)]), data.points)
    task, k = objective.measure()
    parts = list(data.stored_batches())
    with torch.no_grad():
        losses = [float(objective.task_loss(*part)) * len(part[0]) for part in parts]
        assert k == float(objective.present_k())
    assert task == pytest.approx(sum(losses) / 50, rel=1e-5)
