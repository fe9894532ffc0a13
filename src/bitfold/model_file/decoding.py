"""The module that the bytes of a model file describe. Importing this module imports Numba."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.streams import StreamReader
from bitfold.errors import ModelFileError
from bitfold.model_file.syntax.body import read_body
from bitfold.model_file.syntax.header import Header, read_header
from bitfold.model_file.syntax.plan import ABSENT, HALVES, Plan, TensorPlan
from bitfold.model_file.syntax.recipe import most_numbers, read_recipe
from bitfold.model_file.syntax.structure import COMPLEX, Item, structure_hash, tensors_of


class Parsed(NamedTuple):
    """A file that was read.

    Attributes:
        header: of the file.
        module: the one that was given or else built by the recipe; None if there is neither.
        plan: how each tensor is coded, with its numbers.
        parts: bits of each part of the stream before the tensors.
        bits: of each tensor.
    """

    header: Header
    module: nn.Module | None
    plan: Plan
    parts: dict[str, float]
    bits: dict[str, float]


def decoded(data: bytes, into: nn.Module | None = None) -> nn.Module:
    """Decode a file's bytes into a module, see `read_model`."""
    found = parsed(data, into)
    module = found.module
    if module is None:
        raise ModelFileError(
            "Cannot rebuild a network: expected a file with its recipe, got one without. "
            "Pass the module to read it into: read_model(path, into=module)."
        )
    tensors = [tensor for _, tensor in tensors_of(module)]
    with torch.no_grad():
        pairs = zip(found.plan.tensors, tensors, strict=True)
        # All values are worked out before any is replaced, so that an error changes nothing.
        values = [_values(found.plan, planned, own) for planned, own in pairs]
        for own, value in zip(tensors, values, strict=True):
            if value is not None:
                own.copy_(value)
    return module


def parsed(data: bytes, into: nn.Module | None = None) -> Parsed:
    """Read all of a file, and check that it is for the given module.

    Args:
        data: all bytes of the file.
        into: the module; None if the file has a recipe or names.

    Raises:
        ModelFileError: if the file is damaged or not for this module, or if there is neither a
            module, nor a recipe, nor names, so that the tensors are unknown.
    """
    header = read_header(data)
    reader = StreamReader(data, header.end)
    module, written = into, header.items
    if header.has_recipe:
        built = read_recipe(reader, len(data)).build()
        written = tuple(item for item, _ in tensors_of(built))
        module = built if into is None else into
    if module is not None:
        items = [item for item, _ in tensors_of(module)]
        if written is not None or structure_hash(items) != header.structure:
            _check_same(written, items, header)
    elif written is None:
        raise ModelFileError(
            "Cannot read a model file by itself: expected one with a recipe or names, got neither. "
            "Pass the module: into=module."
        )
    else:
        items = list(written)
        _check_claims(items, len(data), header.end)
    plan = read_body(reader, items)
    bits = {item.name: reader.bits[(item.name,)] for item in items}
    parts = {key: value for key, value in reader.bits.items() if isinstance(key, str)}
    return Parsed(header, module, plan, parts, bits)


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
    flat = torch.from_numpy(np.array(numbers))
    if tensor.method == HALVES:
        flat = flat.view(torch.bfloat16)
    if tensor.item.kind == COMPLEX:
        flat = torch.view_as_complex(flat.to(torch.float32).reshape(-1, 2))
    value = flat.to(own.dtype).reshape(own.shape)
    if tensor.raw is None and not bool(torch.isfinite(value).all()):
        raise damaged(
            f"expected numbers that fit {own.dtype}, for {tensor.item.name}, got larger", 0
        )
    return value


def _check_same(written: Sequence[Item] | None, own: Sequence[Item], header: Header) -> None:
    """Refuse a module of another structure, and say what differs if the file has names."""
    if written is None:
        raise ModelFileError(
            "Cannot read a model file into this module: expected the structure "
            f"{header.structure.hex()}, got {structure_hash(own).hex()}, of {len(own)} tensors. "
            "Pass the architecture that was written; files written with names=True name the tensor."
        )
    differing = [pair for pair in zip(written, own, strict=False) if pair[0] != pair[1]]
    if not differing and len(written) == len(own):
        return
    expected, got = f"{len(written)} tensors", f"{len(own)}"
    if differing:
        expected, got = map(str, differing[0])
    raise ModelFileError(
        f"Cannot read a model file into this module: expected {expected}, got {got}. "
        "Pass the architecture that was written."
    )
