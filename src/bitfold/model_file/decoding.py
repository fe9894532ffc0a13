"""The bytes of a model file as a module. Importing this imports Numba."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.entropy_coding.streams import StreamReader, damaged
from bitfold.errors import ModelFileError
from bitfold.model_file.syntax.body import read_body
from bitfold.model_file.syntax.header import Header, read_header
from bitfold.model_file.syntax.plan import ABSENT, HALVES, Plan, TensorPlan
from bitfold.model_file.syntax.recipe import most_numbers, read_recipe
from bitfold.model_file.syntax.structure import COMPLEX, Item, structure_hash, tensors_of


class Parsed(NamedTuple):
    """A file that was read, and what it is for.

    Attributes:
        header: of the file.
        module: that was given, or that the file rebuilt; None if there is neither.
        plan: what it says of each tensor.
        parts: bits of the parts of the stream before the tensors.
        bits: of each tensor.
    """

    header: Header
    module: nn.Module | None
    plan: Plan
    parts: dict[str, float]
    bits: dict[str, float]


def decoded(data: bytes, into: nn.Module | None = None) -> nn.Module:
    """The module of a file's bytes, see `read_model`."""
    found = parsed(data, into)
    module = found.module
    if module is None:
        raise ModelFileError(
            "Cannot rebuild a network: expected a file that says how, got one without. "
            "Pass the module to read it into: read_model(path, into=module)."
        )
    tensors = [tensor for _, tensor in tensors_of(module)]
    with torch.no_grad():
        pairs = zip(found.plan.tensors, tensors, strict=True)
        # All are worked out before one is replaced.
        values = [_values(found.plan, planned, own) for planned, own in pairs]
        for own, value in zip(tensors, values, strict=True):
            if value is not None:
                own.copy_(value)
    return module


def parsed(data: bytes, into: nn.Module | None = None) -> Parsed:
    """Read all of a file, and check that it fits the module, if one is given.

    Raises:
        ModelFileError: if it is damaged, not for this module, or if nothing says which tensors it
            is for: neither a module, nor a recipe, nor names.
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
            "Cannot read a model file by itself: expected one that says how to build its network "
            "or which tensors it has, got neither. Pass the module: into=module."
        )
    else:
        items = list(written)
        _check_claims(items, len(data), header.end)
    plan = read_body(reader, items)
    bits = {item.name: reader.bits[(item.name,)] for item in items}
    parts = {key: value for key, value in reader.bits.items() if isinstance(key, str)}
    return Parsed(header, module, plan, parts, bits)


def _check_claims(items: Sequence[Item], num_bytes: int, offset: int) -> None:
    """Refuse to make room for more numbers than a file of that size may claim."""
    total, most = sum(item.size for item in items), most_numbers(num_bytes)
    if total > most:
        raise damaged(
            f"expected at most {most:,} numbers in a file of {num_bytes:,} bytes, got {total:,}",
            offset,
        )


def _values(plan: Plan, tensor: TensorPlan, own: Tensor) -> Tensor | None:
    """What a tensor becomes, of its own type and shape; None if the file does not say."""
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
            f"expected numbers that {own.dtype} has, for {tensor.item.name}, got larger", 0
        )
    return value


def _check_same(written: Sequence[Item] | None, own: Sequence[Item], header: Header) -> None:
    """Refuse a module of another structure, and say what differs, as far as the file says."""
    if written is None:
        raise ModelFileError(
            "Cannot read a model file into this module: expected the structure "
            f"{header.structure.hex()}, got {structure_hash(own).hex()}, of {len(own)} tensors. "
            "Pass the architecture that was written; a file written with names=True says more."
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
