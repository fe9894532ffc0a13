"""Gradients of a step: a helper thread that computes K changes no bit of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from bitfold import KolmogorovLoss, PolytopeNet
from bitfold.kolmogorov import CoordinatePredictor
from bitfold.targets import load_target, sample_split
from bitfold.training import Config
from bitfold.training.step.gradients import add_gradients, can_go_beside
from bitfold.training.step.learner import Learner


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Let PyTorch use two threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def made(
    predictor: str | CoordinatePredictor = "coordinate",
) -> tuple[nn.Module, KolmogorovLoss]:
    """Return a network of 5,321 weights, and its K."""
    torch.manual_seed(0)
    network = PolytopeNet(2, "[70]*2", 1)
    return network, KolmogorovLoss(network, predictor=predictor)


@pytest.mark.parametrize("is_beside", [False, True])
def test_who_computes_k(*, is_beside: bool) -> None:
    """The calling thread computes the task loss, and a helper K where it is to."""
    network, kolmogorov = made()
    threads = list[int]()
    kolmogorov.register_forward_pre_hook(lambda *_: threads.append(threading.get_ident()))

    def task() -> Tensor:
        threads.append(threading.get_ident())
        loss: Tensor = network(torch.ones(1, 2)).square().mean()
        return loss

    losses = add_gradients(task, kolmogorov, 0.1, is_beside=is_beside)
    assert [loss.requires_grad for loss in losses] == [False, False]
    assert len(set(threads)) == 1 + is_beside
    assert threading.get_ident() in threads


def test_gradients_are_the_same_bit_for_bit() -> None:
    """With K beside the task and behind it; and its gradients do arrive."""
    points = torch.rand(100, 2, generator=torch.Generator().manual_seed(1))
    found = []
    for is_beside in (False, True):
        network, kolmogorov = made()

        def task(network: nn.Module = network) -> Tensor:
            loss: Tensor = network(points).square().mean()
            return loss

        losses = add_gradients(task, kolmogorov, 0.3, is_beside=is_beside)
        items = [*network.parameters(), *kolmogorov.parameters()]
        gradients = [item.grad for item in items if item.grad is not None]
        assert len(gradients) == len(items)
        found.append([*losses, *gradients])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    network, _ = made()
    (alone,) = add_gradients(lambda: network(points).square().mean(), None, 0.3)
    assert torch.equal(alone, found[0][0])
    assert not alone.requires_grad
    first = next(network.parameters()).grad
    assert first is not None
    assert not torch.equal(first, found[0][2])


def test_only_long_sums_of_other_weights_than_the_task_reads_go_beside() -> None:
    """A helper pays for many weights under a coordinate predictor in float32."""
    _, kolmogorov = made()
    assert can_go_beside(kolmogorov, is_quantised=False)
    assert not can_go_beside(kolmogorov, is_quantised=True)
    assert not can_go_beside(None, is_quantised=False)
    assert not can_go_beside(made("row_column")[1], is_quantised=False)
    assert not can_go_beside(made(CoordinatePredictor(kind="mse"))[1], is_quantised=False)
    assert not can_go_beside(KolmogorovLoss(nn.Linear(9, 9)), is_quantised=False)
    wide = KolmogorovLoss(nn.Linear(99, 99).double(), predictor="coordinate")
    assert not can_go_beside(wide, is_quantised=False)


def test_a_run_trains_the_same_weights() -> None:
    """Two epochs with K beside the task's passes give the weights of two without."""
    config = Config(
        target="ring", size=32, shape="[70]*2", points=300, batch_size=100, epochs=2,
        kolmogorov_weight=0.01,
    )  # fmt: skip
    weights = []
    for is_beside in (True, False):
        target = load_target("ring", size=32)
        learner = Learner(config, target, sample_split(target, points=300, batch_size=100, seed=0))
        assert learner._can_go_beside
        learner._can_go_beside = is_beside
        for epoch in (1, 2):
            assert learner.run_epoch(epoch) is not None
        weights.append(learner.flat_weights())
    assert torch.equal(*weights)
