"""The module that the bytes of a model file describe. Importing this module imports Numba."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.streams import StreamReader
from bitfold.errors import ModelFileError
from bitfold.model_file.matching import matching
from bitfold.model_file.placing import read_divided
from bitfold.model_file.syntax.body import read_body, read_numbers_of, read_plan
from bitfold.model_file.syntax.header import Header, read_header
from bitfold.model_file.syntax.plan import ABSENT, HALVES, NO_NUMBERS, Plan, TensorPlan
from bitfold.model_file.syntax.recipe import most_numbers, read_recipe
from bitfold.model_file.syntax.structure import (
    COMPLEX,
    REAL,
    TRANSPOSED,
    WHOLE,
    Item,
    tensors_of,
)
from bitfold.runtime.sharding.sharded_modules import is_divided, restore_shards
from bitfold.runtime.wrapped_modules import unwrap

#: Decoded numbers that are kept at a time, beside those of the largest tensor.
MOST_KEPT = 2**24
# What `read_tensors` returns of each kind.
_TYPES = {
    REAL: torch.float32,
    TRANSPOSED: torch.float32,
    WHOLE: torch.int32,
    COMPLEX: torch.complex64,
}
# Types to which NumPy converts the same numbers as PyTorch, in a tenth of the time for small ones.
_USUAL = {torch.float32: np.float32, torch.float64: np.float64, torch.int64: np.int64}


class Parsed(NamedTuple):
    """A file that was read.

    Attributes:
        header: of the file.
        module: the one that was given or else built by the recipe; None if there is neither.
        tensors: of the module, for each tensor of the plan; empty without a module.
        plan: how each tensor is coded, with its numbers.
        parts: bits of each part of the stream before the tensors.
        bits: of each tensor.
    """

    header: Header
    module: nn.Module | None
    tensors: list[Tensor]
    plan: Plan
    parts: dict[str, float]
    bits: dict[str, float]


class Opened(NamedTuple):
    """A file of which the stream is still to be read.

    Attributes:
        header: of the file.
        reader: of the stream, behind the recipe.
        module: the one that was given or else built by the recipe; None if there is neither.
        tensors: of the module, for each item; empty without a module.
        items: in the file's order.
    """

    header: Header
    reader: StreamReader
    module: nn.Module | None
    tensors: list[Tensor]
    items: list[Item]


class Decoding:
    """A file that is for a module: checked as a whole, then decoded tensor by tensor.

    Up to `MOST_KEPT` numbers are kept from the check; the numbers of a larger module are decoded
    twice, so that those of one tensor at a time are held.

    Args:
        data: all bytes of the file.
        into: the module; None if the file has a recipe.

    Attributes:
        module: the one that was given or else built by the recipe.

    Raises:
        ModelFileError: as `read_model`.
    """

    def __init__(self, data: bytes, into: nn.Module | None) -> None:
        found = opened(data, into)
        if found.module is None:
            raise ModelFileError(
                "Cannot rebuild a network: expected a file with its recipe, got one without. "
                "Pass the module to read it into: read_model(path, into=module); or read its "
                "tensors by name: read_tensors(path)."
            )
        for item, own in zip(found.items, found.tensors, strict=True):
            _check_writable(item, own)
        self.module, self.tensors, self._data, self._found = (
            found.module,
            found.tensors,
            data,
            found,
        )
        is_small = sum(item.size for item in found.items) <= MOST_KEPT
        checked = _decoded_values(found)
        self._kept = list(checked) if is_small else None
        for _ in checked:
            pass

    def values(self) -> Iterator[Tensor | None]:
        """Yield the new values of each of ``tensors``; None for one that the file leaves out."""
        if self._kept is not None:
            yield from self._kept
        else:
            yield from _decoded_values(_reopened(self._data, self._found))


def _reopened(data: bytes, found: Opened) -> Opened:
    """A file whose stream is read from the start again; its network is not built again."""
    reader = StreamReader(data, found.header.end)
    if found.header.has_recipe:
        read_recipe(reader, len(data))
    return found._replace(reader=reader)


def _decoded_values(found: Opened) -> Iterator[Tensor | None]:
    plan = read_plan(found.reader, found.items, found.header.version)
    planned = read_numbers_of(found.reader, plan, found.header.version)
    for tensor, own in zip(planned, found.tensors, strict=True):
        yield _values(plan, tensor, own)
        tensor.numbers, tensor.raw = NO_NUMBERS, None  # no view, which would keep all


def decoded(data: bytes, into: nn.Module | None = None) -> nn.Module:
    """Decode a file's bytes into a module, see `read_model`."""
    return decoded_from(lambda: data, into)


def decoded_from(read: Callable[[], bytes], into: nn.Module | None = None) -> nn.Module:
    """Decode a file into a module, see `read_model`; only processes that decode read it.

    Args:
        read: returns all bytes of the file.
        into: the module, or None.
    """
    if into is not None and not isinstance(into, nn.Module):
        raise ModelFileError(
            f"Cannot read a model file: expected into=a torch.nn.Module, got a "
            f"{type(into).__name__}. read_tensors(path) returns tensors by their names."
        )
    if into is not None:
        restore_shards(unwrap(into))  # a forward pass may have gathered them
    if into is not None and is_divided(into):
        read_divided(lambda: Decoding(read(), into), into)
        return into
    found = Decoding(read(), into)
    with torch.no_grad():
        # All values were checked before any is replaced, so that an error changes nothing.
        for own, value in zip(found.tensors, found.values(), strict=True):
            if value is not None:
                own.copy_(value)
    return found.module if into is None else into


def decoded_tensors(data: bytes) -> dict[str, Tensor]:
    """Decode a file's bytes into tensors by name, see `read_tensors`."""
    plan = parsed(data).plan
    decoded = dict[str, Tensor]()
    for tensor in plan.tensors:
        like = torch.empty(tensor.item.shape, dtype=_TYPES[tensor.item.kind], device="cpu")
        value = _values(plan, tensor, like)
        if tensor.item.size == 0:  # of which a file holds the shape alone
            value = like
        if value is not None:
            decoded[tensor.item.name] = value
    return decoded


def parsed(data: bytes, into: nn.Module | None = None) -> Parsed:
    """Read all of a file, and check that it is for the given module.

    Args:
        data: all bytes of the file.
        into: the module; None if the file has a recipe or names.

    Raises:
        ModelFileError: if the file is damaged or not for this module, or if there is neither a
            module, nor a recipe, nor names, so that the tensors are unknown.
    """
    header, reader, module, tensors, items = opened(data, into)
    plan = read_body(reader, items, header.version)
    bits = {item.name: reader.bits[(item.name,)] for item in items}
    parts = {key: value for key, value in reader.bits.items() if isinstance(key, str)}
    return Parsed(header, module, tensors, plan, parts, bits)


def opened(data: bytes, into: nn.Module | None) -> Opened:
    """Read what a file says of its tensors, and check that it is for the given module."""
    header = read_header(data)
    reader = StreamReader(data, header.end)
    module, written = into, header.items
    if header.has_recipe:
        built = read_recipe(reader, len(data)).build()
        written = tuple(item for item, _ in tensors_of(built))
        module = built if into is None else into
    tensors = list[Tensor]()
    if module is not None:
        items, tensors = matching(header, written, module)
    elif written is None:
        raise ModelFileError(
            "Cannot read a model file by itself: expected one with a recipe or names, got neither. "
            "Pass the module: into=module."
        )
    else:
        items = list(written)
        _check_claims(items, len(data), header.end)
    return Opened(header, reader, module, tensors, items)


def _check_claims(items: Sequence[Item], num_bytes: int, offset: int) -> None:
    """Refuse to make room for more numbers than a file of this size may claim."""
    total, most = sum(item.size for item in items), most_numbers(num_bytes)
    if total > most:
        raise damaged(
            f"expected at most {most:,} numbers in a file of {num_bytes:,} bytes, got {total:,}",
            offset,
        )


def _values(plan: Plan, tensor: TensorPlan, own: Tensor) -> Tensor | None:
    """The new values of a tensor, of its own type and shape; None if the file has none."""
    if tensor.method == ABSENT:
        return None
    numbers: NDArray[Any] = plan.values(tensor) if tensor.raw is None else tensor.raw
    usual = None if tensor.method == HALVES else _USUAL.get(own.dtype)
    if usual is not None and (tensor.raw is not None or _lie_within(numbers, own.dtype)):
        with np.errstate(invalid="ignore"):  # a NaN of the file stays one
            numbers = numbers.astype(usual, copy=tensor.raw is not None)
        return torch.from_numpy(numbers.reshape(own.shape))
    value = _converted(tensor, numbers, own)
    del numbers  # the check of float8 takes as much memory again
    if tensor.raw is None and not _are_finite(value):
        raise damaged(
            f"expected numbers that fit {own.dtype}, for {tensor.item.name}, got larger", 0
        )
    return value


def _converted(tensor: TensorPlan, numbers: NDArray[Any], own: Tensor) -> Tensor:
    """The numbers of a tensor in any type of PyTorch's."""
    flat = torch.from_numpy(numbers.copy() if tensor.raw is numbers else numbers)
    if tensor.method == HALVES:
        flat = flat.view(torch.bfloat16)
    if tensor.item.kind == COMPLEX:
        flat = torch.view_as_complex(flat.to(torch.float32).reshape(-1, 2))
    return flat.to(own.dtype).reshape(own.shape)


def _lie_within(numbers: NDArray[Any], dtype: torch.dtype) -> bool:
    """Whether no number is larger than the largest one of a type of real numbers."""
    most = torch.finfo(dtype).max
    return bool(-most <= numbers.min() and numbers.max() <= most)


def _are_finite(value: Tensor) -> bool:
    wide = value.float() if value.dtype.itemsize == 1 else value  # float8 has no largest
    # Numbers that are not finite stay so in a sum; a sum that is not may be one of large numbers.
    return math.isfinite(wide.sum().item()) or bool(wide.isfinite().all())


def _check_writable(item: Item, own: Tensor) -> None:
    sides = zip(own.shape, own.stride(), strict=True) if 0 in own.stride() else ()
    if any(size > 1 and stride == 0 for size, stride in sides):
        raise ModelFileError(
            f"Cannot read into {item.name!r}: expected a tensor with memory for each of its "
            "numbers, got an expanded one. Clone it."
        )
