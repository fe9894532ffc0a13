"""A loss attached to another module of the same structure."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any, TypeVar

import torch.distributed as dist
from torch import nn

from bitfold.errors import KolmogorovError
from bitfold.runtime.module_state import first_difference
from bitfold.runtime.sharding.sharded_modules import is_sharded, restore_shards

Copied = TypeVar("Copied", bound=nn.Module)


def copied_onto(
    loss: Copied, described: nn.Module, other: nn.Module, group: dist.ProcessGroup | None
) -> Copied:
    """A deep copy of a loss in which another module stands in the place of the described one.

    Args:
        loss: refers to the described module, its parts and parameters.
        described: the module.
        other: of the same structure; it is not copied.
        group: processes that share the work; they are not copied either.

    Raises:
        KolmogorovError: if ``other`` is no module, or of another structure, which the error names;
            or if ``fully_shard`` divides one of the two alone.
    """
    if not isinstance(other, nn.Module):
        raise KolmogorovError(
            f"Cannot attach a loss: expected a torch.nn.Module, got a {type(other).__name__}. "
            "Pass a module of the same structure."
        )
    found = first_difference(described, other)
    if found is not None:
        raise KolmogorovError(
            f"Cannot attach a loss to another module: expected {found[0]}, got {found[1]}. "
            "Pass a module of the same structure."
        )
    for module in (described, other):
        restore_shards(module)
    pairs = zip(described.parameters(), other.parameters(), strict=True)
    if any(is_sharded(one) != is_sharded(two) for one, two in pairs):
        raise KolmogorovError(
            "Cannot attach a loss to another module: expected both divided by fully_shard or both "
            "whole, got one of each. Divide the other module too, or load the trained state into a "
            "whole copy and make a loss for it."
        )
    memo: dict[int, Any] = {id(group): group}
    parts = zip(described.modules(), other.modules(), strict=True)
    tensors = zip(_tensors(described), _tensors(other), strict=True)
    memo |= {id(one): two for one, two in chain(parts, tensors)}
    return copy.deepcopy(loss, memo)


def _tensors(module: nn.Module) -> chain[Any]:
    return chain(module.parameters(), module.buffers())
