"""Whether a module still has the submodules and parameters that it had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.kolmogorov.weights.submodules import Submodules


def make() -> Any:
    """Return a module of two branches, one of them without parameters, and a recurrent layer."""
    branch = nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU(), nn.Linear(3, 3))
    return nn.Sequential(branch, nn.Tanh(), nn.RNN(3, 2))


CHANGES: dict[str, Callable[[Any], object]] = {
    "another parameter": lambda one: setattr(one[0][0], "weight", nn.Parameter(torch.ones(3, 3))),
    "no parameter": lambda one: setattr(one[0][0], "weight", None),
    "a parameter more": lambda one: one[0][1].register_parameter(
        "gain", nn.Parameter(torch.ones(1))
    ),
    "another shape": lambda one: setattr(one[0][0].weight, "data", torch.ones(4, 3)),
    "another child": lambda one: one[0].__setitem__(1, nn.Tanh()),
    "a child more": lambda one: one.append(nn.ReLU()),
    "a child less": lambda one: one.pop(-1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_noticed(change: str) -> None:
    """An unchanged module has none; a changed one names a submodule that differs."""
    module = make()
    submodules = Submodules(module)
    assert submodules.changed() is None
    with torch.no_grad():
        module[0][0].weight.add_(1)  # other values are no change
    assert submodules.changed() is None
    CHANGES[change](module)
    assert submodules.changed() in {*module.modules()}


def test_a_parameter_that_moves_is_noticed() -> None:
    """The same parameters in the same order, but one of them held by another submodule."""
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    module[1].extra = nn.Parameter(torch.ones(2))
    weight, extra = module[1].weight, module[1].extra
    submodules = Submodules(module)
    del module[1].weight
    module[0].weight_too = weight
    assert [*module.parameters()][2:] == [weight, extra]
    assert submodules.changed() is module[0]


def test_places_are_those_that_are_held_now() -> None:
    """Tied parameters have each of their places; replaced ones count as what is held."""
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    module[1].weight = module[0].weight
    submodules = Submodules(module)
    found = [(name, held is module[0]) for held, name, _ in submodules.places()]
    assert found == [("weight", True), ("bias", True), ("weight", False)]
    assert [type(item) for item in Submodules(make()).recurrent()] == [nn.RNN]
    module[1].weight = None  # type: ignore[assignment] # as modules allow
    assert len([*submodules.places()]) == 2
