"""Tests of modules in wrappers."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

from bitfold.runtime.wrapped_modules import plain_names, unwrap

WRAPPERS: dict[str, Callable[[nn.Module], Any]] = {
    "compiled": lambda module: torch.compile(module, backend="eager"),
    "averaged": torch.optim.swa_utils.AveragedModel,
    "data-parallel": nn.DataParallel,
    "checkpointed": checkpoint_wrapper,
    "twice": lambda module: torch.compile(nn.DataParallel(module), backend="eager"),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers_are_taken_off(name: str) -> None:
    """Without its wrappers, a module has its own type and names."""
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    found = unwrap(WRAPPERS[name](module))
    assert type(found) is nn.Sequential
    assert [key for key, _ in found.named_parameters()] == ["0.weight", "0.bias"]


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers_of_parts_are_not_in_names(name: str) -> None:
    """Names leave out the wrappers of parts."""
    module = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1)))
    names = [key for key, _ in module.named_parameters()]
    module[1] = WRAPPERS[name](module[1])
    plain = plain_names(module)
    assert [plain(key) for key, _ in module.named_parameters()] == names


def test_a_module_that_is_no_wrapper_stays() -> None:
    """A module without a wrapper stays, even with an attribute of a wrapper's name."""
    module = nn.ModuleDict({"module": nn.Linear(2, 3)})
    assert unwrap(module) is module
    assert plain_names(module)("module.weight") == "module.weight"


def test_names_that_would_become_the_same_stay() -> None:
    """If removing a wrapper's name would make two names equal, both names stay."""
    wrapped = nn.DataParallel(nn.ModuleDict({"a": nn.Linear(2, 3)}))
    wrapped.register_module("a", nn.Linear(2, 3))
    outer = nn.ModuleDict({"part": wrapped})
    names = {plain_names(outer)(key) for key, _ in outer.named_parameters()}
    assert len(names) == 4
