"""What a module saves or keeps beside its parameters and buffers."""

from __future__ import annotations

import copy
from itertools import chain, zip_longest
from typing import Any, Final, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves

from bitfold.runtime.wrapped_modules import plain_names

Module = TypeVar("Module", bound=nn.Module)

_EXTRA: Final = "_extra_state"
# Packed weights of convolutions are objects of TorchScript.
_WEIGHTS: Final = (Tensor, torch.ScriptObject)


def other_state(module: nn.Module) -> dict[str, Any]:
    """The entries of a module's state that are neither parameters nor buffers, by name.

    Layers that PyTorch quantised keep their weights there, packed; others an extra state. Extra
    states that are None are left out.

    >>> other_state(nn.Linear(2, 3))
    {}
    """
    plain = plain_names(module)
    own = chain(
        module.named_parameters(remove_duplicate=False),
        module.named_buffers(remove_duplicate=False),
    )
    known = {plain(name): item for name, item in own}
    identities = {id(item) for item in known.values()}
    return {
        name: item
        for name, item in module.state_dict(keep_vars=True).items()
        if item is not None and id(item) not in identities and plain(name) not in known
    }


def hidden_weights(module: nn.Module) -> str | None:
    """The first entry of a module's state, extra states aside, that holds tensors of its own.

    Returns:
        Its name and type in words; None if there is no such entry.
    """
    found = {
        name: item
        for name, item in other_state(module).items()
        if name.rpartition(".")[2] != _EXTRA
        and any(isinstance(leaf, _WEIGHTS) for leaf in tree_leaves(item))
    }
    # A tensor by itself may be no more than the scale of a packed one.
    packed = [name for name, item in found.items() if not isinstance(item, Tensor)]
    for name in (*packed, *found):
        return f"{name!r}, a {type(found[name]).__name__}"
    return None


def first_difference(one: nn.Module, other: nn.Module) -> tuple[str, str] | None:
    """The first parameter or buffer that two modules do not both have, in name or shape.

    Returns:
        Name and shape in the one, and in the other; None if the modules have the same structure.

    >>> first_difference(nn.Linear(2, 3), nn.Linear(2, 4))
    ('weight 3x2', 'weight 4x2')
    """
    pairs = zip_longest(_shapes(one), _shapes(other), fillvalue="nothing more")
    return next((pair for pair in pairs if pair[0] != pair[1]), None)


def _shapes(module: nn.Module) -> list[str]:
    plain = plain_names(module)
    return [
        f"{plain(name)} {'lazy' if is_lazy(item) else 'x'.join(map(str, item.shape)) or 'scalar'}"
        for name, item in chain(module.named_parameters(), module.named_buffers())
    ]


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
    try:
        kept = [item for part in module.modules() for item in tree_leaves(vars(part))]
    except RecursionError:  # a container that holds itself
        return copy.deepcopy(module)
    computed = [item for item in kept if isinstance(item, Tensor) and not item.is_leaf]
    return copy.deepcopy(module, {id(item): item.detach().clone() for item in computed})
