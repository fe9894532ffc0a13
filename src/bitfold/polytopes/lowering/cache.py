"""Lowered modules, kept until the structure of the module changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from bitfold.polytopes.lowering.lowered import Lowered
from bitfold.polytopes.lowering.verification import verify
from bitfold.polytopes.tracing.evaluation import points_like
from bitfold.polytopes.tracing.structure import Structure

_CACHE: WeakKeyDictionary[nn.Module, tuple[Structure, torch.Size, Lowered]] = WeakKeyDictionary()
_NOTHING: Final = None, None, None


def lower(module: nn.Module, origin: Tensor) -> tuple[Lowered, Mapping[str, Tensor]]:
    """`Lowered.of`, verified, and kept until the module's structure, modes or shapes change.

    Args:
        module: in evaluation mode.
        origin: one input without a batch dimension, of any type, on the CPU.

    Returns:
        The lowered module, and the module's parameters and buffers by name.

    Raises:
        PolytopeError: the module is in training mode, or see `Lowered.of` and `verify`.
    """
    structure, shape, lowered = _CACHE.get(module, _NOTHING)
    # The structure knows the type and the device of the parameters, and so those of the example.
    items = structure.items(module) if structure and shape == origin.shape else None
    if items is None or lowered is None:
        example = points_like(module, origin.float())
        structure, lowered = Structure(module), Lowered.of(module, example)
        items = structure.items(module)
        assert items is not None
        verify(lowered, module, example, items)
        _CACHE[module] = structure, origin.shape, lowered
    return lowered, items
