"""Any module as affine operations and bends: what it does, without its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from bitfold.errors import PolytopeError
from bitfold.polytopes.nonlinearities import named_arguments
from bitfold.polytopes.pieces import (
    AFFINE,
    CASTS,
    NORMS,
    PAIRS,
    PIECEWISE,
    PRODUCTS,
    SUMS,
)
from bitfold.polytopes.tracing import Operation, Ref, trace


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
    """

    operations: tuple[Operation, ...]
    output: int
    last_uses: Mapping[int, int]

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
            for leaf in tree_leaves((operation.args, dict(operation.kwargs))):
                if isinstance(leaf, Ref):
                    last_uses[leaf.index] = number
        last_uses[found.output] = len(operations)
        return cls(operations, found.output, last_uses)


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
    is_fit = name in AFFINE | SUMS | NORMS | CASTS | PAIRS | PRODUCTS
    if name in PIECEWISE:
        is_fit = PIECEWISE[name](arguments_of(operation)) is not None
    if name in PRODUCTS:
        factors = [isinstance(leaf, Ref) and leaf.index in derived for leaf in operation.args[:2]]
        is_fit = not all(factors) and (name == "mul" or not factors[1])
        name = f"{name} of two results" if all(factors) else name
    if is_fit:
        return
    where = f" in {operation.place!r}" if operation.place else ""
    raise PolytopeError(
        f"Cannot find exact polytopes: expected piecewise linear operations, got {name}{where}. "
        "Use bitfold.polytopes.sample_partition, which compares pixels."
    )


def arguments_of(operation: Operation) -> dict[str, Any]:
    """An operation's arguments by name."""
    return named_arguments(operation.function, operation.args, operation.kwargs)


_CACHE: WeakKeyDictionary[nn.Module, tuple[Any, Lowered]] = WeakKeyDictionary()


def lower(module: nn.Module, example: Tensor) -> Lowered:
    """`Lowered.of`, kept until the module's structure, modes or shapes change.

    Raises:
        PolytopeError: the module is in training mode, or see `Lowered.of`.
    """
    training = [name or type(module).__name__ for name, m in module.named_modules() if m.training]
    if training:
        raise PolytopeError(
            f"Cannot find polytopes: expected a module in evaluation mode, got {training[0]} in "
            "training mode. Call module.eval() first."
        )
    items = [*module.named_parameters(), *module.named_buffers()]
    key = (
        tuple((name, item.shape, item.dtype, item.device) for name, item in items),
        tuple((name, type(part)) for name, part in module.named_modules()),
        (example.shape, example.dtype, example.device),
    )
    kept = _CACHE.get(module)
    if kept is None or kept[0] != key:
        kept = key, Lowered.of(module, example)
        _CACHE[module] = kept
    return kept[1]


def bends_of(lowered: Lowered) -> Iterator[Bend]:
    """The operations that fold, in order."""
    for operation in lowered.operations:
        if operation.is_derived and operation.is_bend:
            yield Bend(operation.place, operation.name)
