"""The submodules of a module, with the parameters that each of them holds."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter, is_
from typing import Any

import torch
from torch import nn

from bitfold.runtime.sharding.sharded_modules import GatheredParameters

_shape = attrgetter("shape")


@dataclass(frozen=True, eq=False)
class _Node:
    """One submodule, with the parameters and children it had when the table was made."""

    module: nn.Module
    children: tuple[nn.Module | None, ...]
    parameters: tuple[nn.Parameter | None, ...]
    shapes: list[torch.Size | None]

    @classmethod
    def of(cls, module: nn.Module) -> "_Node":
        parameters = tuple(module._parameters.values())
        shapes = [None if item is None else item.shape for item in parameters]
        return cls(module, tuple(module._modules.values()), parameters, shapes)

    def is_unchanged(self, gathered: GatheredParameters) -> bool:
        """Whether it has the same children, and the same parameters or gathered ones of them."""
        children, parameters = self.module._modules, self.module._parameters
        if not _are_same(children.values(), self.children):
            return False
        shapes = [None if item is None else item.shape for item in parameters.values()]
        if shapes != self.shapes:
            return False
        pairs = zip(parameters.values(), self.parameters, strict=True)
        return all(held is kept or gathered.has_exchanged(kept, held) for held, kept in pairs)


class Submodules:
    """All submodules of a module as they are when this is made.

    A training asks several times in each step whether they are still the same, so this is found out
    for all of them at once.

    Args:
        module: the first of them.
    """

    def __init__(self, module: nn.Module) -> None:
        self._nodes = tuple(map(_Node.of, module.modules()))
        self._modules = [node.module for node in self._nodes]
        self._children, self._parameters = self._held()
        self._counts = self._counted()
        self._sizes = self._shapes()

    def changed(self) -> nn.Module | None:
        """Return a submodule with other children, parameters or shapes; None if there is none.

        A whole tensor in the place of the divided one that FSDP2 gathered it from is no change.
        """
        children, parameters = self._held()
        is_same = _are_same(children, self._children) and _are_same(parameters, self._parameters)
        if is_same and self._counted() == self._counts and self._shapes() == self._sizes:
            return None
        gathered = GatheredParameters(self._modules[0])
        changed = (node.module for node in self._nodes if not node.is_unchanged(gathered))
        return next(changed, None)

    def places(self) -> Iterator[tuple[nn.Module, str, nn.Parameter]]:
        """Yield each parameter that is now held, with the submodule and the name it has there."""
        for module in self._modules:
            for name, item in module._parameters.items():
                if item is not None:
                    yield module, name, item

    def recurrent(self) -> list[nn.RNNBase]:
        """Return the recurrent layers."""
        return [item for item in self._modules if isinstance(item, nn.RNNBase)]

    def _held(self) -> tuple[list[Any], list[Any]]:
        """All children, and all parameters, one submodule's after the other's."""
        children = chain.from_iterable([item._modules.values() for item in self._modules])
        parameters = chain.from_iterable([item._parameters.values() for item in self._modules])
        return list(children), list(parameters)

    def _counted(self) -> list[int]:
        return [len(held) for one in self._modules for held in (one._modules, one._parameters)]

    def _shapes(self) -> list[Any]:
        return [_shape(item) for item in self._parameters if item is not None]


def _are_same(held: Collection[object], kept: Collection[object]) -> bool:
    return len(held) == len(kept) and all(map(is_, held, kept))
