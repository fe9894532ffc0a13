"""The structure of a module: its parameters and saved buffers, in one order; or of tensors."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from torch import Tensor, nn

from bitfold.errors import ModelFileError
from bitfold.kolmogorov.weights.box import Box, box_of, transposed_tensors
from bitfold.runtime.sharding.sharded_modules import is_sharded
from bitfold.runtime.tensor_kinds import odd_kind
from bitfold.runtime.wrapped_modules import plain_names

Holder = nn.Module | Mapping[str, Tensor]
"""What a file is made of: a module, or tensors by name."""

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


def tensors_of(holder: Holder, *, with_wrappers: bool = False) -> list[tuple[Item, Tensor]]:
    """List a module's parameters, then its saved buffers; each once, under its first name.

    Args:
        holder: a module, or tensors by name, which are listed in their order.
        with_wrappers: whether names have the wrappers of a module's parts (see `plain_names`).

    Raises:
        ModelFileError: if a tensor has no values yet, or is sparse, nested, quantised or held in
            other tensors.
    """
    if not isinstance(holder, nn.Module):
        return [(_item(name, item, frozenset()), item.detach()) for name, item in holder.items()]
    turned = transposed_tensors(holder)
    plain = str if with_wrappers else plain_names(holder)
    buffers = list(holder.named_buffers())
    saved = holder.state_dict(keep_vars=True) if buffers else {}
    found = [*holder.named_parameters(), *(pair for pair in buffers if pair[0] in saved)]
    return [(_item(plain(name), item, turned, holder), item.detach()) for name, item in found]


def aliases_of(module: nn.Module) -> dict[str, Tensor]:
    """A module's parameters and buffers by each of their names, without wrappers of its parts."""
    plain = plain_names(module)
    named = chain(
        module.named_parameters(remove_duplicate=False),
        module.named_buffers(remove_duplicate=False),
    )
    return {plain(name): item.detach() for name, item in named}


def _item(
    name: str, tensor: Tensor, turned: frozenset[int], holder: nn.Module | None = None
) -> Item:
    # Tensors of a module may be divided among processes: their owner puts them together.
    odd = None if holder is not None and is_sharded(tensor) else odd_kind(tensor)
    if odd is not None:
        raise ModelFileError(f"Cannot code {name!r}: expected a plain tensor, got {odd}.")
    kind = REAL if tensor.is_floating_point() else COMPLEX if tensor.is_complex() else WHOLE
    if kind == REAL and id(tensor) in turned:
        kind = TRANSPOSED
    return Item(name, tuple(tensor.shape), kind)


def structure_hash(items: Sequence[Item]) -> bytes:
    """The first four bytes of the SHA-256 of the items, one per line."""
    text = "".join(f"{item}\n" for item in items)
    return hashlib.sha256(text.encode()).digest()[:HASH_BYTES]
