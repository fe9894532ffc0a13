"""Tests of second derivatives: K's raise an error, and the task's are right beside K."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import KolmogorovLoss

SETTINGS: list[dict[str, Any]] = [
    {"predictor": "coordinate", "kind": "gaussian_nll", "weight_range": (-2.0, 2.0)},
    {"targets": "soft", "temperature": 1.0},
    {"quantise": "learned"},
]


def made(settings: dict[str, Any]) -> tuple[nn.Module, KolmogorovLoss]:
    """Return a module and its loss."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
    return net, KolmogorovLoss(net, **settings)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("by", ["weights", "own", "factor"])
def test_a_second_derivative_of_k_is_an_error(settings: dict[str, Any], by: str) -> None:
    """A second derivative of K by weights, own parameters or factor is an error, and not 0."""
    net, loss = made(settings)
    factor = torch.tensor(0.1, requires_grad=True)
    wanted = list(loss.parameters()) if by == "own" else list(net.parameters())
    first = torch.autograd.grad(factor * loss(), wanted, create_graph=True)
    total = sum((item.square().sum() for item in first), torch.zeros(()))
    second = [factor] if by == "factor" else wanted
    with pytest.raises(KolmogorovError, match=r"Cannot differentiate K twice.*once"):
        torch.autograd.grad(total, second)


def test_the_first_derivative_with_a_graph_is_the_same() -> None:
    """``create_graph`` alone changes no first derivative."""
    net, loss = made({})
    wanted = [*net.parameters(), *loss.parameters()]
    plain = torch.autograd.grad(loss(), wanted)
    found = torch.autograd.grad(loss(), wanted, create_graph=True)
    assert all(torch.equal(*pair) for pair in zip(found, plain, strict=True))


def product(net: nn.Module, task: Tensor) -> list[Tensor]:
    """Return the product of the task's Hessian by the weights and a vector of ones."""
    wanted = list(net.parameters())
    first = torch.autograd.grad(task, wanted, create_graph=True)
    return list(torch.autograd.grad(sum(item.sum() for item in first), wanted))  # type: ignore[arg-type]


def test_second_derivatives_of_the_task_are_those_of_the_decoded_network() -> None:
    """In a block, second derivatives of the task are the decoded network's."""
    net, loss = made({"quantise": "learned"})
    points = torch.randn(5, 4)
    decoded, _ = made({})
    decoded.load_state_dict(loss.decoded_state())
    with loss.quantised():
        task = net(points).square().mean()
    expected = product(decoded, decoded(points).square().mean())
    for item, other in zip(product(net, task), expected, strict=True):
        torch.testing.assert_close(item, other)


def test_the_second_derivative_by_steps_is_an_error() -> None:
    """A second derivative by steps is an error, because rounding has no slope."""
    net, loss = made({"quantise": "learned"})
    with loss.quantised():
        task = net(torch.ones(2, 4)).square().mean()
    steps = list(loss.weight_range.parameters())
    (first,) = torch.autograd.grad(task, steps, create_graph=True)
    with pytest.raises(KolmogorovError, match="Cannot differentiate the gradient by the steps twi"):
        torch.autograd.backward(first.sum())
