"""Tests of the state that modules save beside parameters and buffers."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.runtime.module_state import first_difference, hidden_weights, other_state


class Extra(nn.Module):
    """Saves an extra state."""

    def __init__(self, state: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.state = state

    def get_extra_state(self) -> Any:
        """Return the given state."""
        return self.state

    def set_extra_state(self, state: Any) -> None:
        """Keep the given state."""
        self.state = state


def quantised() -> nn.Module:
    """Return linear layers with packed weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3)).eval()
        quantise: Any = torch.ao.quantization.quantize_dynamic
        packed: nn.Module = quantise(module, {nn.Linear}, torch.qint8)
        return packed


def test_packed_weights_are_named() -> None:
    """The error names the packed weights and not the scale, which is a tensor."""
    assert hidden_weights(quantised()) == "'1._packed_params._packed_params', a tuple"


def test_an_extra_state_is_no_weight() -> None:
    """An extra state counts as no weight, and is listed unless it is None."""
    assert hidden_weights(Extra(torch.ones(3))) is None
    assert list(other_state(Extra({"a": 1}))) == ["_extra_state"]
    assert not other_state(Extra(None))


@pytest.mark.parametrize("wrap", [False, True])
def test_tied_and_wrapped_parameters_are_no_other_state(wrap: bool) -> None:
    """Parameters under several names, or with wrappers in their names, count as known."""
    module: Any = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))
    module[1][0].weight = module[0].weight
    if wrap:
        module[1] = nn.DataParallel(module[1])
    assert not other_state(module)


def test_the_first_difference_is_named() -> None:
    """The first difference is a shape, a name, or a tensor that one module lacks."""
    one = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    assert first_difference(one, nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))) is None
    other = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1, bias=False))
    assert first_difference(one, other) == ("1.bias 1", "nothing more")
    assert first_difference(one, nn.Linear(2, 3)) == ("0.weight 3x2", "weight 3x2")
