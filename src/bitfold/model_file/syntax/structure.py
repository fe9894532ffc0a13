"""The structure of a module: its parameters and saved buffers, in one order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bitfold.errors import ModelFileError
from bitfold.kolmogorov.weights.box import Box, box_of, is_transposed

REAL, TRANSPOSED, WHOLE, COMPLEX = "real", "transposed", "whole", "complex"
KINDS = (REAL, TRANSPOSED, WHOLE, COMPLEX)
HASH_BYTES = 4


class Item(NamedTuple):
    """One tensor of a module.

    Attributes:
        name: in the module.
        shape: of the tensor.
        kind: one of `KINDS`; transposed: real numbers whose first dimension is inputs.
    """

    name: str
    shape: tuple[int, ...]
    kind: str

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def box(self) -> Box:
        """Its numbers as outputs by inputs by kernel offsets."""
        return box_of(self.shape, is_transposed=self.kind == TRANSPOSED)

    @property
    def is_vector(self) -> bool:
        """Whether it has fewer than two dimensions, like biases and gains."""
        return len(self.shape) < 2

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.shape)) or 'scalar'} {self.kind}"


def tensors_of(module: nn.Module) -> list[tuple[Item, Tensor]]:
    """List parameters, then saved buffers; each tensor once, under its first name.

    Raises:
        ModelFileError: if a tensor has no values yet, or is sparse or quantised.
    """
    saved = module.state_dict(keep_vars=True)
    buffers = ((name, item) for name, item in module.named_buffers() if name in saved)
    found = [*module.named_parameters(), *buffers]
    return [(_item(module, name, tensor), tensor.detach()) for name, tensor in found]


def _item(module: nn.Module, name: str, tensor: Tensor) -> Item:
    if tensor.is_meta or is_lazy(tensor):
        raise ModelFileError(
            f"Cannot code {name!r}: expected a tensor with values, got one without. "
            "First run a forward pass, or move the module to a device."
        )
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise ModelFileError(
            f"Cannot code {name!r}: expected a plain tensor, got a sparse or quantised one. "
            "Make it dense."
        )
    kind = REAL if tensor.is_floating_point() else COMPLEX if tensor.is_complex() else WHOLE
    if kind == REAL and is_transposed(module, name, tensor):
        kind = TRANSPOSED
    return Item(name, tuple(tensor.shape), kind)


def structure_hash(items: Sequence[Item]) -> bytes:
    """The first four bytes of the SHA-256 of the items, one per line."""
    text = "".join(f"{item}\n" for item in items)
    return hashlib.sha256(text.encode()).digest()[:HASH_BYTES]
