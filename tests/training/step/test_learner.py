"""An epoch's gradients, operations and values that are read back."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bitfold.kolmogorov.predictors import coordinate
from bitfold.training.step.learner import Learner
from bitfold.training.step.resources import random_stream
from tests.training.training_runs import WITH_K, learner_of


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Counts the operations that a device executes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[str(func)] += 1
        return func(*args, **(kwargs or {}))


def operations_of_an_epoch(learner: Learner) -> Counter[str]:
    """Return all operations of the second epoch; the first creates the optimiser's state."""
    learner.run_epoch(1)
    with Operations() as seen:
        learner.run_epoch(2)
    result: Counter[str] = seen.counts
    return result


@pytest.mark.parametrize(
    "settings",
    [{}, {"kolmogorov_weight": 0.5, "kolmogorov_shape": "none"}],
    ids=["lambda", "shape"],
)
def test_without_k_there_is_not_one_extra_operation(settings: dict[str, Any]) -> None:
    """Without K an epoch has only a fixed few operations beyond a plain training loop."""
    extra = []
    for num_batches in (2, 10):
        learner = learner_of(points=16 * num_batches, **settings)
        assert learner.kolmogorov is None
        assert learner.predictor_optimizers == []
        found = operations_of_an_epoch(learner)
        (optimizer,) = learner.optimizers
        points, wanted = learner.objective.data.points, learner.objective.data.values
        with Operations() as plain:
            for start in range(0, len(points), 16):
                batch, values = points[start : start + 16], wanted[start : start + 16]
                loss = torch.nn.functional.mse_loss(learner.objective.outputs(batch), values)
                loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
                optimizer.step()
                learner.network.zero_grad()
                loss.detach()  # an epoch's loss is made of these
        assert not plain.counts - found
        extra.append(found - plain.counts)
    assert extra[0] == extra[1]
    assert extra[0].total() < 50


def test_k_reaches_network_and_predictor() -> None:
    """A lambda above 0 moves network and predictor, each by its own optimiser and rate."""
    plain, with_k = learner_of(), learner_of(**WITH_K)
    assert with_k.kolmogorov is not None
    predictor = [p.detach().clone() for p in with_k.kolmogorov.parameters()]
    for learner in (plain, with_k):
        learner.run_epoch(1)
    changed = [
        not torch.equal(p, q)
        for p, q in zip(plain.network.parameters(), with_k.network.parameters(), strict=True)
    ]
    assert all(changed)
    moved = [
        not torch.equal(p, q)
        for p, q in zip(predictor, with_k.kolmogorov.parameters(), strict=True)
    ]
    assert all(moved)
    norms = with_k.objective.gradient_norms()
    assert all(norm is not None and norm > 0 for norm in norms)
    assert plain.objective.gradient_norms()[1:] == (None, None)


@pytest.mark.parametrize("kind", ["laplacian_nll", "cross_entropy"])
def test_values_are_read_back_once_an_epoch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch reads values back once, for any number of steps, so that no step waits."""
    # The compiled loops share the CPU's memory with PyTorch and never run on a device.
    monkeypatch.setattr(coordinate, "has_kernels", lambda tensor: False)
    calls: Counter[str] = Counter()

    def counted(name: str) -> Any:
        real = getattr(Tensor, name)

        def call(self: Tensor, *arguments: Any, **keywords: Any) -> Any:
            calls[name] += 1
            return real(self, *arguments, **keywords)

        return call

    settings = {**WITH_K, "kolmogorov_loss_type": kind, "grad_clip_norm": 1.0}
    learners = [learner_of(points=16 * n, **settings) for n in (2, 10)]
    for learner in learners:
        monkeypatch.setattr(learner.objective, "_forward", learner.network)
        learner.run_epoch(1)
    for name in ("item", "tolist", "cpu", "numpy", "__float__", "__int__", "__bool__"):
        monkeypatch.setattr(Tensor, name, counted(name))
    found = []
    for learner in learners:
        calls.clear()
        learner.run_epoch(2)
        found.append(dict(calls))
    # Distributions over bins are counted on the CPU, to which the predictor is copied.
    assert found[0] == found[1]
    assert found[0] == {"tolist": 1} or kind == "cross_entropy"


def test_random_numbers_leave_the_callers_alone() -> None:
    """Training draws nothing from PyTorch's global generator."""
    before = torch.get_rng_state()
    learner = learner_of(**WITH_K)
    learner.run_epoch(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_k_leaves_the_start_of_the_network_alone() -> None:
    """First weights and the order of points are the same with and without a predictor."""
    plain, with_k = learner_of(), learner_of(**WITH_K)
    for one, other in zip(plain.network.parameters(), with_k.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(plain.order.get_state(), with_k.order.get_state())
    assert random_stream(0, "network").initial_seed() != random_stream(0, "order").initial_seed()
    assert random_stream(0, "order").initial_seed() != random_stream(1, "order").initial_seed()


def test_what_a_result_says_is_true() -> None:
    """A result's score, spread, bits and weights out of range are those of the present network."""
    learner = learner_of(**WITH_K, kolmogorov_weight_min=-0.2, kolmogorov_weight_max=0.2)
    result = learner.run_epoch(1)
    assert result is not None
    assert learner.kolmogorov is not None
    assert result.out_of_range == learner.kolmogorov.num_out_of_range() > 0
    assert result.description_bits == pytest.approx(float(learner.kolmogorov.bits()), rel=1e-6)
    outputs = learner.network(learner.objective.data.validation_points)
    loss = learner.task.loss(outputs, learner.objective.data.validation_values).item()
    assert result.validation_loss == pytest.approx(loss)
    assert result.score == learner.task.score(result.validation_loss, 0.0)
    assert result.output_spread == pytest.approx((outputs.max() - outputs.min()).item())


def test_an_epoch_that_is_to_stop_is_given_up() -> None:
    """An epoch asks before each step whether to stop, and then gives up."""
    answers = iter([False, False, True])
    assert learner_of().run_epoch(1, lambda: next(answers)) is None
    assert learner_of().run_epoch(1, lambda: False) is not None
