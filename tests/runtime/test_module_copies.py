"""Copies of modules that were called before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import bitfold
from bitfold.runtime.module_copies import copied


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
