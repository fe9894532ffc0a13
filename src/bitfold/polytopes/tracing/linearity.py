"""The question whether an operation is piecewise linear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NoReturn

from torch.utils._pytree import tree_leaves

from bitfold.errors import PolytopeError
from bitfold.polytopes.tracing.operation import Operation, Ref
from bitfold.polytopes.tracing.pieces import (
    AFFINE,
    CASTS,
    CHOICES,
    CONSTANTS,
    FACTORS,
    NORMS,
    PAIRS,
    PIECEWISE,
    PRODUCTS,
    SUMS,
)

_FITTING = AFFINE | CONSTANTS | SUMS | NORMS | CASTS | PAIRS | PRODUCTS | CHOICES


def first_not_linear(operations: Sequence[Operation]) -> str | None:
    """The first operation that depends on the input and is not piecewise linear in it.

    Args:
        operations: all operations of a module, in order.

    Returns:
        Its name and place in words; None if there is none.
    """
    derived = {0, *(number + 1 for number, one in enumerate(operations) if one.is_derived)}
    for operation in operations:
        name = _unfit(operation, operations, derived) if operation.is_derived else None
        if name is not None:
            return f"{name} in {operation.place!r}" if operation.place else name
    return None


def refuse_bent(found: str) -> NoReturn:
    """Refuse a module by what `first_not_linear` found."""
    raise PolytopeError(
        f"Cannot find exact polytopes: expected piecewise linear operations, got {found}. "
        "Use bitfold.polytopes.sample_partition, which compares pixels."
    )


def _unfit(operation: Operation, all_of_them: Sequence[Operation], derived: set[int]) -> str | None:
    """Why an operation is not piecewise linear: its name, and more if that depends; else None."""
    name = operation.name
    factors = [
        isinstance(operation.args[k], Ref) and operation.args[k].index in derived
        for k in FACTORS.get(name, ())
        if k < len(operation.args)
    ]
    if sum(factors) > 1:
        return f"{name} of two results"
    if name == "div" and factors[1]:
        return name
    if name in CONSTANTS and not all(map(math.isfinite, _numbers_of(operation))):
        return f"{name} of what is not finite"
    if name == "getitem" and operation.args[1] > 0:
        made_by = all_of_them[operation.args[0].index - 1].name
        if made_by in CHOICES:
            return f"the places that {made_by} chose"
    if name in PIECEWISE:
        return None if PIECEWISE[name](operation.arguments) is not None else name
    return None if name in _FITTING else name


def _numbers_of(operation: Operation) -> list[float]:
    return [leaf for leaf in tree_leaves(operation.args) if isinstance(leaf, float)]
