"""Lowered modules, kept for as long as their structure stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from bitfold.polytopes.lowering.lowered import Lowered
from bitfold.polytopes.lowering.verification import verify
from bitfold.polytopes.tracing.structure import Structure

_CACHE: WeakKeyDictionary[nn.Module, tuple[Structure, Any, Lowered]] = WeakKeyDictionary()


def lower(module: nn.Module, example: Tensor) -> tuple[Lowered, Mapping[str, Tensor]]:
    """`Lowered.of`, verified, and kept until the module's structure, modes or shapes change.

    Returns:
        What the module does, and its parameters and buffers by name.

    Raises:
        PolytopeError: the module is in training mode, or see `Lowered.of` and `verify`.
    """
    kind = example.shape, example.dtype, example.device
    structure, kept_kind, lowered = _CACHE.get(module, (None, None, None))
    items = structure.items(module) if structure and kept_kind == kind else None
    if items is None or lowered is None:
        structure, lowered = Structure(module), Lowered.of(module, example)
        items = structure.items(module)
        assert items is not None
        verify(lowered, module, example, items)
        _CACHE[module] = structure, kind, lowered
    return lowered, items
