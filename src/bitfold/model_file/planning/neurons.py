"""Hidden neurons sorted for a shorter code, where the function provably stays the same."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from bitfold.networks import PolytopeNet
from bitfold.networks.activations import ACTIVATIONS
from bitfold.runtime.module_state import copied

# Activations that map each number by itself, all by the same function.
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
    """Copy a module and sort its hidden neurons by the size of their weights.

    A neuron's row and bias move together with the column that reads it, so that each output is the
    same sum in another order. Only linear layers that follow one another are sorted, with
    elementwise activations between them, in an ``nn.Sequential`` or `PolytopeNet` whose forward is
    that of its class.

    Source: R. Hecht-Nielsen 1990, for the bits that the order of neurons is worth.

    Args:
        module: any; it stays as it is.

    Returns:
        The copy, or None if no neurons can be sorted.
    """
    if not any(True for _ in _pairs(module)):
        return None
    sorted_module = copied(module)
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
    """Pairs of linear layers: the second reads the first's outputs, all of them and no others."""
    if type(module) is PolytopeNet:
        module = module.layers
    layers = list(_flat(module)) if type(module) is nn.Sequential else []
    parameters = [item for layer in layers for item in layer.parameters()]
    if len({id(item) for item in parameters}) < len(parameters):
        return  # a weight that is used twice would change for its other use too
    last: nn.Linear | None = None
    for layer in layers:
        if type(layer) is nn.Linear and _is_plain(layer):
            if last is not None:
                yield last, layer
            last = layer
        elif type(layer) not in _ELEMENTWISE or not _is_plain(layer):
            last = None


def _flat(module: nn.Module) -> Iterator[nn.Module]:
    """The layers of a sequence and of sequences in it; a sequence with hooks counts as a layer."""
    if type(module) is not nn.Sequential or not _is_plain(module):
        yield module
        return
    for layer in module:
        yield from _flat(layer)


def _is_plain(module: nn.Module) -> bool:
    """Whether calling a module runs the forward of its class and nothing else."""
    hooks = (module._forward_hooks, module._forward_pre_hooks)
    return not any(hooks) and "forward" not in vars(module)
