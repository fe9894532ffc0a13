"""Tests of the state that modules save beside parameters and buffers."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bitfold
from bitfold.runtime.module_state import (
    copied,
    first_difference,
    hidden_weights,
    other_state,
)


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


class Remembering(nn.Module):
    """Keeps its outputs, as for a figure of its activations."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 3)
        self.outputs: list[Tensor] = []

    def forward(self, inputs: Tensor) -> Tensor:
        """Keep and return the output."""
        self.outputs.append(self.layer(inputs))
        return self.outputs[-1]


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def called(kind: str) -> nn.Module:
    """Return a module that was called with gradients."""
    torch.manual_seed(0)
    inner = Remembering() if kind == "outputs" else nn.utils.weight_norm(nn.Linear(2, 3))
    module = nn.Sequential(inner, nn.ReLU(), nn.Linear(3, 1))
    module(torch.ones(4, 2)).sum().backward()
    return module


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
@pytest.mark.parametrize("kind", ["outputs", "weight norm"])
def test_a_copy_computes_the_same_and_shares_nothing(kind: str) -> None:
    """A module that keeps tensors of its last call is copied, and learns alone from then on."""
    module = called(kind)
    twin, inputs = copied(module), torch.randn(5, 2)
    assert torch.equal(twin(inputs), module(inputs))
    twin(inputs).sum().backward()
    with torch.no_grad():
        for item in twin.parameters():
            item.add_(1)
    assert not torch.equal(twin(inputs), module(inputs))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
@pytest.mark.parametrize("kind", ["outputs", "weight norm"])
def test_a_module_that_was_called_can_be_compressed(kind: str) -> None:
    """`compress` takes a module that keeps tensors of its last call, with inputs and without."""
    module, inputs = called(kind), torch.randn(50, 2)
    plain = bitfold.compress(module, tolerance=1e-3)
    assert torch.allclose(plain.module(inputs), module(inputs), atol=0.02)
    if kind == "outputs":
        fitted = bitfold.compress(module, calibration=[inputs], tolerance=1e-2)
        assert torch.allclose(fitted.module(inputs), module(inputs), atol=0.1)
