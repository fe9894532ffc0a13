"""The points of a run, batch by batch."""

from __future__ import annotations

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
