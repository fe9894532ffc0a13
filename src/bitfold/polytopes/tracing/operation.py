"""One operation of a module, which can be performed again on other values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch._ops import OpOverload
from torch.utils._pytree import tree_leaves, tree_map

from bitfold.polytopes.tracing.nonlinearities import named_arguments, operation_name
from bitfold.polytopes.tracing.pieces import CHOICES, PAIRS, PIECEWISE


@dataclass(frozen=True)
class Ref:
    """The result of an earlier operation; 0 is the input."""

    index: int


@dataclass(frozen=True)
class Named:
    """A parameter or buffer of the module, by its name."""

    name: str


@dataclass(frozen=True)
class PerInput:
    """A whole number that is proportional to the size of the batch."""

    times: int


_STAND_INS = (Ref, Named, PerInput)


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of PyTorch's ATen library.

    Args:
        function: of `torch.ops.aten`.
        args: its arguments; tensors, and what depends on the batch, stand there as `Ref`, `Named`
            and `PerInput`.
        kwargs: likewise.
        place: the dotted name of its submodule; empty for the module itself.
        is_derived: whether it depends on the input; if not, on weights alone.
    """

    function: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    place: str
    is_derived: bool

    @cached_property
    def name(self) -> str:
        """The name in ATen, such as ``relu``."""
        return operation_name(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        # PyTorch's operators cannot be pickled; their names can.
        function: Any = self.function
        if isinstance(function, OpOverload):
            name: str = function._schema.name
            packet, overload = name.removeprefix("aten::"), function._overloadname
            function = (packet, overload)
        rest = (self.args, dict(self.kwargs), self.place, self.is_derived)
        return _operation, (function, rest)

    @cached_property
    def is_bend(self) -> bool:
        """Whether the operation folds the input space."""
        return self.name in PIECEWISE or self.name in PAIRS or self.name in CHOICES

    @property
    def is_mutable(self) -> bool:
        """Whether the operation writes to its argument."""
        return bool(self.function._schema.is_mutable)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Its arguments by name, defaults included."""
        return named_arguments(self.function, self.args, self.kwargs)

    @cached_property
    def stand_ins(self) -> list[Ref | Named | PerInput]:
        """The arguments that stand for other values."""
        leaves = tree_leaves((self.args, dict(self.kwargs)))
        return [leaf for leaf in leaves if isinstance(leaf, _STAND_INS)]

    @cached_property
    def refs(self) -> list[int]:
        """The numbers of the results that the operation needs."""
        return [leaf.index for leaf in self.stand_ins if isinstance(leaf, Ref)]

    @cached_property
    def _slots(self) -> list[int]:
        return [k for k, leaf in enumerate(self.args) if isinstance(leaf, _STAND_INS)]

    def perform(self, value_of: Callable[[Any], Any]) -> Any:
        """Perform the operation, with a value for each `Ref`, `Named` and `PerInput`."""
        if len(self._slots) == len(self.stand_ins):
            args = list(self.args)
            for k in self._slots:
                args[k] = value_of(args[k])
            return self.function(*args, **self.kwargs)

        def fill(leaf: Any) -> Any:
            return value_of(leaf) if isinstance(leaf, _STAND_INS) else leaf

        args, kwargs = tree_map(fill, (list(self.args), dict(self.kwargs)))
        return self.function(*args, **kwargs)


def _operation(function: Any, rest: tuple[Any, ...]) -> Operation:
    if isinstance(function, tuple):
        packet, overload = function
        function = getattr(getattr(torch.ops.aten, packet), overload)
    return Operation(function, *rest)
