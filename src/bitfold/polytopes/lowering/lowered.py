"""A module lowered to affine operations and bends, without its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from bitfold.errors import PolytopeError
from bitfold.polytopes.lowering.unused import without_unused
from bitfold.polytopes.lowering.weight_reader import WeightReader
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
from bitfold.polytopes.tracing.trace import Named, Operation, Ref, trace


@dataclass(frozen=True)
class Bend:
    """An operation that bends, whose elements are neurons.

    Args:
        place: dotted name of the submodule; empty for the module itself.
        name: of the operation, such as ``relu``.
    """

    place: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} in {self.place}" if self.place else self.name


@dataclass(frozen=True, eq=False)
class Lowered:
    """The operations of a module. They stay valid until the module's structure changes.

    Args:
        operations: in order. Operation k makes result k + 1; result 0 is the input.
        output: the number of the result that is the output.
        last_uses: the last operation that needs each result.
        shapes: the shapes of the floating-point parameters and buffers that are used, by name.
        others: the names of the parameters and buffers that are used and not floating-point.
    """

    operations: tuple[Operation, ...]
    output: int
    last_uses: Mapping[int, int]
    shapes: Mapping[str, torch.Size]
    others: tuple[str, ...]

    @cached_property
    def starts(self) -> dict[str, int]:
        """Where each floating-point tensor begins, when all are concatenated."""
        sizes = [shape.numel() for shape in self.shapes.values()]
        return dict(zip(self.shapes, accumulate(sizes, initial=0), strict=False))

    @cached_property
    def weight_reader(self) -> WeightReader:
        """Reads the floating-point parameters and buffers."""
        return WeightReader()

    @cached_property
    def bends(self) -> dict[int, Bend]:
        """The operations that fold, by number."""
        return {
            number: Bend(operation.place, operation.name)
            for number, operation in enumerate(self.operations)
            if operation.is_derived and operation.is_bend
        }

    @cached_property
    def forgotten(self) -> list[list[int]]:
        """The results that are no longer needed after each operation."""
        by_operation: list[list[int]] = [[] for _ in self.operations]
        is_derived = [True, *(one.is_derived for one in self.operations)]
        for index, derived in enumerate(is_derived):
            last = self.last_uses.get(index, index - 1)
            if derived and 0 <= last < len(self.operations):
                by_operation[last].append(index)
        return by_operation

    @classmethod
    def of(cls, module: nn.Module, example: Tensor) -> Lowered:
        """Lower a module.

        Args:
            module: in evaluation mode.
            example: one input, without a batch.

        Raises:
            PolytopeError: an operation is not piecewise linear; the error names it and its place.
        """
        found = without_unused(trace(module, example))
        operations = tuple(map(_in_float64, found.operations))
        last_uses: dict[int, int] = {}
        derived = {0, *(k + 1 for k, one in enumerate(operations) if one.is_derived)}
        for number, operation in enumerate(operations):
            if operation.is_derived:
                _check(operation, operations, derived)
            last_uses |= dict.fromkeys(operation.refs, number)
        last_uses[found.output] = len(operations)
        stand_ins = [item for one in operations for item in one.stand_ins]
        items = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        named = {item.name: items[item.name] for item in stand_ins if isinstance(item, Named)}
        shapes = {name: item.shape for name, item in named.items() if item.is_floating_point()}
        others = tuple(name for name in named if name not in shapes)
        return cls(operations, found.output, last_uses, shapes, others)


def _in_float64(operation: Operation) -> Operation:
    def convert(leaf: Any) -> Any:
        if isinstance(leaf, torch.device):
            return torch.device("cpu")
        if not isinstance(leaf, Tensor):
            return leaf
        return leaf.double().cpu() if leaf.is_floating_point() else leaf.cpu()

    args, kwargs = tree_map(convert, operation.args), tree_map(convert, dict(operation.kwargs))
    return Operation(
        operation.function, args, kwargs, operation.place, is_derived=operation.is_derived
    )


def _numbers_of(operation: Operation) -> list[float]:
    return [leaf for leaf in tree_leaves(operation.args) if isinstance(leaf, float)]


def _check(operation: Operation, all_of_them: Sequence[Operation], derived: set[int]) -> None:
    """Refuse an operation on results that depend on the input, unless it is piecewise linear."""
    name = operation.name
    is_fit = name in AFFINE | CONSTANTS | SUMS | NORMS | CASTS | PAIRS | PRODUCTS | CHOICES
    if name in PIECEWISE:
        is_fit = PIECEWISE[name](operation.arguments) is not None
    factors = [
        isinstance(operation.args[k], Ref) and operation.args[k].index in derived
        for k in FACTORS.get(name, ())
        if k < len(operation.args)
    ]
    if sum(factors) > 1:
        is_fit, name = False, f"{name} of two results"
    elif name == "div" and factors[1]:
        is_fit = False
    elif name in CONSTANTS and not all(map(math.isfinite, _numbers_of(operation))):
        is_fit, name = False, f"{name} of what is not finite"
    elif name == "getitem" and operation.args[1] > 0:
        made_by = all_of_them[operation.args[0].index - 1].name
        if made_by in CHOICES:
            is_fit, name = False, f"the places that {made_by} chose"
    if is_fit:
        return
    where = f" in {operation.place!r}" if operation.place else ""
    raise PolytopeError(
        f"Cannot find exact polytopes: expected piecewise linear operations, got {name}{where}. "
        "Use bitfold.polytopes.sample_partition, which compares pixels."
    )
