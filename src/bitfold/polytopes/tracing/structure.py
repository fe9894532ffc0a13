"""A module's structure, as far as a trace of it depends on it, and whether it still is the same."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bitfold.errors import PolytopeError

_PLAIN = (bool, int, float, str, tuple)


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
            self._parts.append((kept, type(part), _Settings(part), list(part._modules.items())))
            own = (*part._parameters.items(), *part._buffers.items())
            names += [f"{name}.{key}" if name else key for key, item in own if item is not None]
        self._names = names
        self._kinds = [_kind(item) for item in self._items(module)]

    def items(self, module: nn.Module) -> Mapping[str, Tensor] | None:
        """Parameters and buffers by name; None unless all but their values is as it was."""
        for kept, kind, settings, children in self._parts:
            part = module if kept is None else kept
            if type(part) is not kind or part.training:
                return None
            own = part._modules
            if (own or children) and list(own.items()) != children:
                return None
            if not settings.are_of(part):
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


class _Settings:
    """The plain attributes of a part, which cannot change in place: they are told by identity."""

    def __init__(self, part: nn.Module) -> None:
        values = part.__dict__.values()
        self._ids, self._types = [*map(id, values)], [*map(type, values)]
        # Held, so that nothing else can come to have their identity.
        self._plain = [value for value in values if isinstance(value, _PLAIN)]

    def are_of(self, part: nn.Module) -> bool:
        """Whether the part has them still; others may be other objects of the same types."""
        values = part.__dict__.values()
        if [*map(id, values)] == self._ids and [*map(type, values)] == self._types:
            return True
        plain = [value for value in values if isinstance(value, _PLAIN)]
        return plain == self._plain and len(values) == len(self._ids)


def _kind(item: Tensor) -> tuple[torch.Size, torch.dtype, torch.device]:
    return item.shape, item.dtype, item.device
