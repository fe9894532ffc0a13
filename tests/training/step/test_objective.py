"""Task loss and K of the present network."""

from __future__ import annotations

import pytest
import torch

from tests.training.training_runs import WITH_K, learner_of


def test_gradient_norms_are_those_of_each_term_alone() -> None:
    """The gradient norm of K is not weighted by lambda, and measuring norms changes nothing."""
    learner = learner_of(**WITH_K)
    before = learner.flat_weights()
    norms = learner.objective.gradient_norms()
    assert torch.equal(learner.flat_weights(), before)
    assert learner.kolmogorov is not None
    assert all(p.grad is None for p in learner.network.parameters())
    task = learner.task.loss(
        learner.network(learner.objective.data.points[:16]), learner.objective.data.values[:16]
    )
    own, other = list(learner.network.parameters()), list(learner.kolmogorov.parameters())
    of_task = torch.autograd.grad(task, own)
    of_k = torch.autograd.grad(learner.kolmogorov(), [*own, *other])
    wanted = [of_task, of_k[: len(own)], of_k[len(own) :]]
    for norm, gradients in zip(norms, wanted, strict=True):
        assert norm == pytest.approx(torch.cat([g.flatten() for g in gradients]).norm().item())
