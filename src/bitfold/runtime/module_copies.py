"""Copies of modules that were called before."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

Module = TypeVar("Module", bound=nn.Module)


def copied(module: Module) -> Module:
    """Return a deep copy of a module, also of one that keeps tensors of its last call.

    `copy.deepcopy` refuses tensors that know how they were computed. The older ``weight_norm``
    keeps its weight so, and modules keep outputs for figures. The copy has their values.

    Args:
        module: stays as it is.

    >>> layer = nn.Linear(2, 3)
    >>> layer.last = [layer.weight * 2]
    >>> copied(layer).last[0].requires_grad
    False
    """
    kept = (item for part in module.modules() for item in tree_leaves(vars(part)))
    computed = [item for item in kept if isinstance(item, Tensor) and not item.is_leaf]
    return copy.deepcopy(module, {id(item): item.detach().clone() for item in computed})
