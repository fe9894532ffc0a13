"""Directions of `weight_norm`, which have no norm if they decode as zeros.

A weight g v / |v| stays the same if v gets longer or shorter. So K makes v shorter and the steps
longer at no cost to the task, until all numbers of v round to 0: their norm is 0, and the weight is
not a number. Before that a direction is made longer, which changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.weight_norm import WeightNorm

from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.weights.parameters import ParameterTable

# A number up to half a step decodes as 0. A direction of such numbers gets longer until the largest
# of them is this many steps.
_ROUNDED_AWAY, _LENGTHENED = 0.5, 0.75


def directions(module: nn.Module) -> Iterator[tuple[Tensor, int]]:
    """Each direction of the module, and the dimension along which it has a norm for each slice.

    Args:
        module: any; both forms of PyTorch's ``weight_norm`` are known.

    Yields:
        The parameter, and the dimension; -1 if all of it has one norm.
    """
    for owner in module.modules():
        if isinstance(owner, parametrize.ParametrizationList) and type(owner[0]) is _WeightNorm:
            yield owner.get_parameter("original1"), owner[0].dim
        for hook in owner._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm):
                direction: Tensor = getattr(owner, f"{hook.name}_v")
                yield direction, -1 if hook.dim is None else hook.dim


@torch.no_grad()
def lengthen_directions(table: ParameterTable, weight_range: WeightRange) -> int:
    """Make directions longer that would decode as zeros; the module computes what it computed.

    Args:
        table: the described parameters, in their places.
        weight_range: turns them into values.

    Returns:
        The number of directions that are longer now. Those of zeros stay: they have no norm anyway.
    """
    found, changed = list(directions(table.module)), 0
    if not found:
        return 0
    numbers = {id(item): number for number, item in enumerate(table.parameters)}
    steps = weight_range.steps(as_sent=True)
    for direction, dimension in found:
        number = numbers.get(id(direction))
        if number is None:
            continue
        step = weight_range.bins.width if steps is None else steps[number].to(direction.dtype)
        others = [other for other in range(direction.ndim) if other != dimension]
        largest = direction.abs().amax(others, keepdim=True)
        is_short = (largest > 0) & (largest <= _ROUNDED_AWAY * step)
        if bool(is_short.any()):
            factors = torch.where(is_short, _LENGTHENED * step / largest, 1.0)
            direction.mul_(factors.to(direction.dtype))
            changed += int(is_short.sum())
    return changed
