"""Any module as affine operations and bends: what it does, without its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from torch.utils._pytree import tree_map

from bitfold.errors import PolytopeError
from bitfold.polytopes.pieces import (
    AFFINE,
    CASTS,
    CHOICES,
    FACTORS,
    NORMS,
    PAIRS,
    PIECEWISE,
    PRODUCTS,
    SUMS,
)
from bitfold.polytopes.tracing import Named, Operation, Ref, trace


@dataclass(frozen=True)
class Bend:
    """Neurons that fold: the elements of what one operation bends.

    Args:
        place: dotted name of the submodule; empty for the module itself.
        name: of the operation.
    """

    place: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} in {self.place}" if self.place else self.name


@dataclass(frozen=True, eq=False)
class Lowered:
    """What a module does, as long as its structure stays as it is; without its weights.

    Args:
        operations: in order; operation k gives result k + 1, and 0 is the input.
        output: number of the result that is the output.
        last_uses: by result the last operation that needs it.
        named: parameters and buffers that it needs.
    """

    operations: tuple[Operation, ...]
    output: int
    last_uses: Mapping[int, int]
    named: frozenset[str]

    @cached_property
    def forgotten(self) -> list[list[int]]:
        """By operation the results that nothing needs any more after it."""
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
            PolytopeError: it does what is not piecewise linear; the error names what and where.
        """
        found = trace(module, example)
        operations = tuple(map(_in_float64, found.operations))
        last_uses: dict[int, int] = {}
        derived = {0, *(k + 1 for k, one in enumerate(operations) if one.is_derived)}
        for number, operation in enumerate(operations):
            _check(operation, derived)
            last_uses |= dict.fromkeys(operation.refs, number)
        last_uses[found.output] = len(operations)
        named = {i.name for one in operations for i in one.stand_ins if isinstance(i, Named)}
        return cls(operations, found.output, last_uses, frozenset(named))


def _in_float64(operation: Operation) -> Operation:
    def convert(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return leaf.double().cpu() if leaf.is_floating_point() else leaf.cpu()

    args, kwargs = tree_map(convert, operation.args), tree_map(convert, dict(operation.kwargs))
    return Operation(
        operation.function, args, kwargs, operation.place, is_derived=operation.is_derived
    )


def _check(operation: Operation, derived: set[int]) -> None:
    """Refuse an operation on what depends on the input, unless it is piecewise linear."""
    name = operation.name
    if not operation.is_derived:
        return
    is_fit = name in AFFINE | SUMS | NORMS | CASTS | PAIRS | PRODUCTS | CHOICES
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
    if is_fit:
        return
    where = f" in {operation.place!r}" if operation.place else ""
    raise PolytopeError(
        f"Cannot find exact polytopes: expected piecewise linear operations, got {name}{where}. "
        "Use bitfold.polytopes.sample_partition, which compares pixels."
    )


_PLAIN = (bool, int, float, str, tuple)
_CACHE: WeakKeyDictionary[nn.Module, tuple[Any, Lowered]] = WeakKeyDictionary()


def lower(module: nn.Module, example: Tensor) -> tuple[Lowered, dict[str, Tensor]]:
    """`Lowered.of`, kept until the module's structure, modes or shapes change.

    Returns:
        What the module does, and its parameters and buffers by name.

    Raises:
        PolytopeError: the module is in training mode, or see `Lowered.of`.
    """
    parts: list[tuple[str, type, list[Any]]] = []
    items: dict[str, Tensor] = {}
    for name, part in module.named_modules():
        if part.training:
            raise PolytopeError(
                f"Cannot find polytopes: expected a module in evaluation mode, got "
                f"{name or type(part).__name__} in training mode. Call module.eval() first."
            )
        # Settings such as a stride or a slope are not in the parameters.
        plain = [item for item in part.__dict__.items() if isinstance(item[1], _PLAIN)]
        parts.append((name, type(part), plain))
        prefix = f"{name}." if name else ""
        for own in (part._parameters, part._buffers):
            items |= {prefix + key: item for key, item in own.items() if item is not None}
    shapes = [(name, item.shape, item.dtype, item.device) for name, item in items.items()]
    key = parts, shapes, (example.shape, example.dtype, example.device)
    kept = _CACHE.get(module)
    if kept is None or kept[0] != key:
        kept = key, Lowered.of(module, example)
        _CACHE[module] = kept
    return kept[1], items


def bends_of(lowered: Lowered) -> Iterator[Bend]:
    """The operations that fold, in order."""
    for operation in lowered.operations:
        if operation.is_derived and operation.is_bend:
            yield Bend(operation.place, operation.name)
