"""Tests of the end of a training for size."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import KolmogorovLoss, finish, prune_dead
from tests.kolmogorov.narrowing import gradient_of, learned_range


def small() -> tuple[nn.Module, KolmogorovLoss]:
    """Return a network with one hidden layer and fine steps."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))
    kolmogorov = KolmogorovLoss(network, quantise="learned")
    with torch.no_grad():
        learned_range(kolmogorov).log_steps.sub_(1.5)
    return network, kolmogorov


def losses(network: nn.Module, points: torch.Tensor) -> Any:
    """Return the task losses of two batches."""
    for some in torch.split(points, 50):
        yield network(some).square().mean()


def test_what_is_frozen_is_what_is_sent() -> None:
    """Predictor and steps are frozen; K then is the cost of coding, except for dead rows and
    columns.
    """
    network, kolmogorov = small()
    finish(kolmogorov)
    bits, state = kolmogorov.bits(), copy.deepcopy(kolmogorov.state_dict())
    optimizer = torch.optim.Adam([*network.parameters(), *kolmogorov.parameters()], lr=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        with kolmogorov.quantised():
            task = network(torch.ones(4, 6)).square().mean()
        (task + 0.1 * kolmogorov()).backward()
        optimizer.step()
    for name, item in kolmogorov.state_dict().items():
        assert torch.equal(item, state[name])
    assert all(item.grad is None for item in kolmogorov.parameters())
    assert kolmogorov.bits().items["ranges"] == bits.items["ranges"]


@pytest.mark.parametrize("predictor", ["coordinate", "row_column", "per_tensor"])
@pytest.mark.parametrize("quantise", [None, "learned"])
def test_finishing_changes_no_decoded_weight(predictor: str, quantise: Any) -> None:
    """After the finish K with hard targets equals the bits of the weights, with every predictor."""
    torch.manual_seed(1)
    network = nn.Linear(7, 6)
    kolmogorov = KolmogorovLoss(network, predictor=predictor, bins=32, quantise=quantise)
    decoded = kolmogorov.decoded_state()
    finish(kolmogorov)
    for name, item in kolmogorov.decoded_state().items():
        assert torch.equal(item, decoded[name])
    bits = kolmogorov.bits().total
    finish(kolmogorov)
    assert kolmogorov.bits().total <= bits + 1e-6


def test_weights_that_nothing_feels_are_pruned() -> None:
    """Weights into neurons that lead nowhere or are never active become 0, and the function stays
    the same.
    """
    network, kolmogorov = small()
    points = torch.rand(100, 6)
    points[:, 5] = 0
    with torch.no_grad():
        network.get_parameter("2.weight")[:, :3] = 0.0
        network.get_parameter("0.weight")[3] = -1.0
        network.get_parameter("0.bias")[3] = -1.0
    with torch.no_grad(), kolmogorov.quantised():
        before = network(points)
    numbers = kolmogorov.decoded_state()
    count = sum(int((item != 0).sum()) for item in numbers.values())
    num_pruned = prune_dead(kolmogorov, losses(network, points))
    with torch.no_grad(), kolmogorov.quantised():
        assert torch.equal(network(points), before)
    pruned = kolmogorov.decoded_state()
    assert num_pruned == count - sum(int((item != 0).sum()) for item in pruned.values()) > 0
    assert not pruned["0.weight"][:4].any()
    assert not pruned["0.bias"][:4].any()
    assert not pruned["0.weight"][:, 5].any()
    assert not pruned["2.weight"][:, 3].any()
    assert pruned["0.weight"][4:].any()


def test_pruning_needs_data() -> None:
    """No task loss at all is refused, because every weight would seem dead."""
    network, kolmogorov = small()
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(KolmogorovError, match="some data, got none"):
        prune_dead(kolmogorov, iter(()))
    assert all(torch.equal(item, before[name]) for name, item in network.state_dict().items())


def test_pruning_leaves_gradients_alone() -> None:
    """Gradients that a training has collected stay as they are."""
    network, kolmogorov = small()
    points = torch.rand(50, 6)
    task = functional.mse_loss(network(points), torch.zeros(50, 3))
    task.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    before = [gradient_of(item).clone() for item in network.parameters()]
    prune_dead(kolmogorov, losses(network, points))
    assert all(
        torch.equal(gradient_of(item), grad)
        for item, grad in zip(network.parameters(), before, strict=True)
    )
