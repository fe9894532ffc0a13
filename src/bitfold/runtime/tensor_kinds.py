"""Kinds of tensors whose numbers cannot be read as those of plain ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

_USUAL = (Tensor, nn.Parameter)


def odd_kind(tensor: Tensor) -> str | None:
    """Why the numbers of a tensor cannot be read; None if they can.

    Returns:
        The end of an error message: the kind of tensor, and what its owner can do.

    >>> odd_kind(torch.ones(2)), odd_kind(torch.eye(2).to_sparse())
    (None, 'a sparse one. Make it dense')
    """
    found = None
    # Lazy tensors and those that hold others have classes of their own, and are rare.
    is_usual = type(tensor) in _USUAL
    if not is_usual and is_lazy(tensor):
        found = "one without a shape. Run one forward pass first"
    elif tensor.is_nested:
        found = "a nested one. Hold its parts in a list of tensors"
    elif tensor.layout != torch.strided:
        found = "a sparse one. Make it dense"
    elif tensor.is_quantized:
        found = f"a quantised one, {tensor.dtype}. Dequantise it, or take the module before that"
    elif not is_usual and is_traceable_wrapper_subclass(tensor):
        kind = type(tensor).__name__
        found = f"a {kind}, whose numbers lie in other tensors. Gather them in a plain tensor"
    elif tensor.is_meta:
        found = "one on the meta device, without values. Move the module to a device first"
    return found
