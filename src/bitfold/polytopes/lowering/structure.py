"""A module's structure, as far as a trace of it depends on it, and whether it still is the same."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any

import torch
from torch import Tensor, nn

from bitfold.errors import PolytopeError

_PLAIN = (bool, int, float, str, tuple)
# What most attributes of a module are that are not plain; told apart quickly.
_HOLDERS = frozenset({dict, set, list, NoneType, type(nn.Module()._parameters)})


class Structure:
    """The parts of a module, their settings, and shapes of their tensors, at one time.

    Source: none, ours. Settings such as a stride or a slope are plain attributes; all of them are
    compared, not those of a list.

    Args:
        module: in evaluation mode.

    Raises:
        PolytopeError: it is in training mode.
    """

    def __init__(self, module: nn.Module) -> None:
        # The module itself is not kept: it would never be freed from where its structure is.
        self._parts = []
        names: list[str] = []
        for name, part in module.named_modules(remove_duplicate=False):
            if part.training:
                raise PolytopeError(
                    f"Cannot find polytopes: expected a module in evaluation mode, got "
                    f"{name or type(part).__name__} in training mode. Call module.eval() first."
                )
            kept = None if part is module else part
            self._parts.append((kept, type(part), _settings(part), list(part._modules.items())))
            own = (*part._parameters.items(), *part._buffers.items())
            names += [f"{name}.{key}" if name else key for key, item in own if item is not None]
        self._names = names
        self._kinds = [_kind(item) for item in self._items(module)]

    def items(self, module: nn.Module) -> Mapping[str, Tensor] | None:
        """Parameters and buffers by name; None unless all but their values is as it was."""
        for kept, kind, settings, children in self._parts:
            part = module if kept is None else kept
            if type(part) is not kind or part.training or list(part._modules.items()) != children:
                return None
            if _settings(part) != settings:
                return None
        items = self._items(module)
        if [_kind(item) for item in items] != self._kinds:
            return None
        return dict(zip(self._names, items, strict=True))

    def _items(self, module: nn.Module) -> list[Tensor]:
        parts = [module if kept is None else kept for kept, *_ in self._parts]
        return [
            item
            for part in parts
            for own in (part._parameters, part._buffers)
            for item in own.values()
            if item is not None
        ]


def _settings(part: nn.Module) -> tuple[list[str], list[Any]]:
    """Names of all attributes, and the plain ones' values."""
    own = part.__dict__
    values = own.values()
    plain = [v for v in values if type(v) not in _HOLDERS and isinstance(v, _PLAIN)]
    return list(own), plain


def _kind(item: Tensor) -> tuple[torch.Size, torch.dtype, torch.device]:
    return item.shape, item.dtype, item.device
