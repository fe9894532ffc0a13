"""Hidden neurons in the order that codes shortest, where the function provably stays the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn

from bitfold.networks import PolytopeNet
from bitfold.networks.activations import ACTIVATIONS

# Each number that goes in changes its own that comes out and no other, in the same way.
_ELEMENTWISE = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.ReLU6,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Tanh,
    nn.Sigmoid,
    nn.Softplus,
    nn.Hardtanh,
    nn.Identity,
    *{type(make()) for make in ACTIVATIONS.values()},
)


def with_sorted_neurons(module: nn.Module) -> nn.Module | None:
    """A copy whose hidden neurons are sorted by the size of their weights; None if there are none.

    A neuron's row and bias go with the column that reads it: each output is the same sum in another
    order. That is known of linear layers that follow one another, with elementwise activations
    between them, in an ``nn.Sequential`` or `PolytopeNet` whose forward is that of its class, and
    of no other module.

    Source: none, ours; for how many bits the order of neurons is worth see Hecht-Nielsen 1990.

    Args:
        module: any; it stays as it is.
    """
    if not any(True for _ in _pairs(module)):
        return None
    sorted_module = copy.deepcopy(module)
    with torch.no_grad():
        for first, second in _pairs(sorted_module):
            own = first.weight.abs().sum(1)
            order = (own * second.weight.abs().sum(0)).argsort(descending=True, stable=True)
            first.weight.copy_(first.weight[order])
            if first.bias is not None:
                first.bias.copy_(first.bias[order])
            second.weight.copy_(second.weight[:, order])
    return sorted_module


def _pairs(module: nn.Module) -> Iterator[tuple[nn.Linear, nn.Linear]]:
    """Linear layers the second of which reads nothing but the first's outputs, and alone does."""
    if type(module) is PolytopeNet:
        module = module.layers
    layers = list(_flat(module)) if type(module) is nn.Sequential else []
    parameters = [item for layer in layers for item in layer.parameters()]
    if len({id(item) for item in parameters}) < len(parameters):
        return  # a weight that is used twice is not sorted for one of its uses
    last: nn.Linear | None = None
    for layer in layers:
        if type(layer) is nn.Linear and _is_plain(layer):
            if last is not None:
                yield last, layer
            last = layer
        elif type(layer) not in _ELEMENTWISE or not _is_plain(layer):
            last = None


def _flat(module: nn.Module) -> Iterator[nn.Module]:
    """The layers of a sequence, and of sequences in it; one with hooks counts as a layer."""
    if type(module) is not nn.Sequential or not _is_plain(module):
        yield module
        return
    for layer in module:
        yield from _flat(layer)


def _is_plain(module: nn.Module) -> bool:
    """Whether calling it is nothing but its class's forward."""
    hooks = (module._forward_hooks, module._forward_pre_hooks)
    return not any(hooks) and "forward" not in vars(module)
