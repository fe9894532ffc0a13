"""A module lowered to affine operations and bends, without its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from bitfold.polytopes.lowering.unused import without_unused
from bitfold.polytopes.lowering.weight_reader import WeightReader
from bitfold.polytopes.tracing.linearity import first_not_linear, refuse_bent
from bitfold.polytopes.tracing.operation import Named, Operation
from bitfold.polytopes.tracing.trace import trace


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
        bent = first_not_linear(operations)
        if bent is not None:
            refuse_bent(bent)
        for number, operation in enumerate(operations):
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
