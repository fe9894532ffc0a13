"""Detection of changes of a module that would change its trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.polytopes.tracing.structure import Structure


class Scaled(nn.Module):
    """A layer with an optional plain setting."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.scale, self.names = nn.Linear(2, 3), None, ["a"]


def module() -> nn.Sequential:
    """Return a module with children, settings, parameters and buffers."""
    return nn.Sequential(nn.Linear(2, 4), nn.LeakyReLU(0.1), nn.BatchNorm1d(4), Scaled()).eval()


def swap_children(changed: nn.Sequential) -> None:
    """Exchange two children of equal type."""
    changed[0] = nn.Linear(2, 4)


def rename(changed: Any) -> None:
    """Give a setting another name."""
    del changed[3].scale
    changed[3].size = None


CHANGES: dict[str, Callable[[nn.Sequential], object]] = {
    "slope": lambda m: setattr(m[1], "negative_slope", 0.2),
    "from None": lambda m: setattr(m[3], "scale", 2.0),
    "more": lambda m: setattr(m[3], "more", 1),
    "less": lambda m: delattr(m[3], "scale"),
    "renamed": rename,
    "training": lambda m: m[2].train(),
    "child": swap_children,
    "further child": lambda m: m.append(nn.ReLU()),
    "type": lambda m: m.double(),
    "shape": lambda m: setattr(m[0], "bias", nn.Parameter(torch.zeros(5))),
    "no bias": lambda m: setattr(m[0], "bias", None),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(change: Callable[[nn.Sequential], object]) -> None:
    """A change of a setting, a mode, a child, or a tensor's shape or dtype is seen."""
    changed = module()
    structure = Structure(changed)
    assert structure.items(changed) is not None
    change(changed)
    assert structure.items(changed) is None


def test_other_values_are_no_change() -> None:
    """New weights, and new containers of the same type, do not change the structure."""
    same = module()
    structure = Structure(same)
    with torch.no_grad():
        same.get_parameter("0.weight").fill_(7)
        same.get_buffer("2.running_mean").fill_(7)
    scaled = same[3]
    assert isinstance(scaled, Scaled)
    scaled.names = ["b"]
    items = structure.items(same)
    assert items is not None
    assert list(items) == [
        "0.weight", "0.bias", "2.weight", "2.bias", "2.running_mean", "2.running_var",
        "2.num_batches_tracked", "3.linear.weight", "3.linear.bias",
    ]  # fmt: skip
    assert items["0.weight"] is same[0].weight
