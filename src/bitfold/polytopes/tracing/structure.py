"""The structure of a module: everything that a trace of the module depends on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from operator import itemgetter

import torch
from torch import Tensor, nn

from bitfold.errors import PolytopeError

_PLAIN = (bool, int, float, str, tuple)
_OF_EVERY_MODULE = frozenset(nn.Module().__dict__)


class Structure:
    """The parts of a module, their settings, and the shapes of their tensors, at one time.

    Settings such as a stride or a slope are plain attributes: all plain attributes are compared.

    Args:
        module: in evaluation mode.

    Raises:
        PolytopeError: a part is in training mode.
    """

    def __init__(self, module: nn.Module) -> None:
        named = list(module.named_modules(remove_duplicate=False))
        parts = [part for _, part in named]
        self._names: list[str] = []
        for name, part in named:
            if part.training:
                raise PolytopeError(
                    f"Cannot find polytopes: expected a module in evaluation mode, got "
                    f"{name or type(part).__name__} in training mode. Call module.eval() first."
                )
            own = (*part._parameters.items(), *part._buffers.items())
            prefix = f"{name}." if name else ""
            self._names += [prefix + key for key, item in own if item is not None]
        # The module itself is not kept: its structure is kept as long as the module lives.
        self._parts = [None if part is module else part for part in parts]
        self._types = [*map(type, parts)]
        self._children = _children(parts)
        self._settings = _Settings(parts)
        self._kinds = _kinds(_items(parts))

    def items(self, module: nn.Module) -> Mapping[str, Tensor] | None:
        """Parameters and buffers by name; None if anything but their values has changed."""
        # One comparison for each property of all parts: this runs before every partition.
        parts = [module if kept is None else kept for kept in self._parts]
        if [*map(type, parts)] != self._types or not self._settings.are_of(parts):
            return None
        items = _items(parts)
        if _children(parts) != self._children or _kinds(items) != self._kinds:
            return None
        return dict(zip(self._names, items, strict=True))


class _Settings:
    """The attributes of some parts, except those that every module has for hooks and children.

    Plain attributes cannot change in place, so their identity tells a change.
    """

    def __init__(self, parts: list[nn.Module]) -> None:
        names = [[name for name in part.__dict__ if name not in _OF_EVERY_MODULE] for part in parts]
        self._getters = [
            itemgetter(*_always(part), *some) for part, some in zip(parts, names, strict=True)
        ]
        self._counts = [len(part.__dict__) for part in parts]
        values = self._values(parts)
        self._ids, self._types = [*map(id, values)], [*map(type, values)]
        # Holding the plain values keeps other objects from getting their identity.
        self._plain = [value for value in values if isinstance(value, _PLAIN)]

    def are_of(self, parts: list[nn.Module]) -> bool:
        """Whether the parts still have them; other attributes may be new objects of equal type."""
        if [len(part.__dict__) for part in parts] != self._counts:
            return False
        try:
            values = self._values(parts)
        except KeyError:  # one attribute instead of another
            return False
        if [*map(id, values)] == self._ids and [*map(type, values)] == self._types:
            return True
        return [value for value in values if isinstance(value, _PLAIN)] == self._plain

    def _values(self, parts: list[nn.Module]) -> list[object]:
        pairs = zip(self._getters, parts, strict=True)
        return [*chain.from_iterable([get(part.__dict__) for get, part in pairs])]


def _always(part: nn.Module) -> tuple[str, str]:
    """An attribute to watch in every part, twice: of several names a getter makes a tuple."""
    # Compiled modules have no mode of their own.
    name = "training" if "training" in part.__dict__ else "_modules"
    return name, name


def _children(parts: list[nn.Module]) -> list[list[tuple[str, nn.Module | None]]]:
    return [[*part._modules.items()] for part in parts]


def _items(parts: list[nn.Module]) -> list[Tensor]:
    owned = [own for part in parts for own in (part._parameters, part._buffers) if own]
    return [item for own in owned for item in own.values() if item is not None]


def _kinds(items: list[Tensor]) -> tuple[list[torch.Size], list[torch.dtype], list[torch.device]]:
    shapes, types = [item.shape for item in items], [item.dtype for item in items]
    return shapes, types, [item.device for item in items]
