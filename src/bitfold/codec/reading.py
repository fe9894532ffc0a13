"""Reading model files."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.codec.body import read_body
from bitfold.codec.coder import StreamReader, damaged
from bitfold.codec.header import Header, read_header
from bitfold.codec.plan import ABSENT, HALVES, Plan, TensorPlan
from bitfold.codec.recipe import read_recipe
from bitfold.codec.structure import COMPLEX, Item, structure_hash, tensors_of
from bitfold.errors import ModelFileError


def read_model(path: str | PathLike[str], into: nn.Module | None = None) -> nn.Module:
    """Read a ``.bitfold`` file.

    Every number that is decoded follows from integer arithmetic and one correctly rounded
    product: all machines, threads and versions get the same.

    Source: none, ours; docs/file-format.md is its specification.

    Args:
        path: of the file.
        into: a module of the structure that was written, whose weights and buffers are replaced; on
            an error it stays as it is. None: for networks that the file can rebuild.

    Returns:
        ``into``, or the network in float32 on the CPU.

    Raises:
        ModelFileError: if there is no such file, it is damaged, of a later version or not for this
            module, or if it holds a network that has to be given.
    """
    data = _bytes_of(path)
    return decoded(data, into)


def decoded(data: bytes, into: nn.Module | None = None) -> nn.Module:
    """The module of a file's bytes, see `read_model`."""
    header = read_header(data)
    reader = StreamReader(data, header.end)
    if header.has_recipe:
        recipe = read_recipe(reader, len(data))
        module = recipe.build() if into is None else into
        found = tensors_of(module)
        if into is not None:
            _check_same([item for item, _ in tensors_of(recipe.build())], found, header)
    elif into is None:
        raise ModelFileError(
            "Cannot rebuild a network: expected a file that says how, got one without. "
            "Pass the module to read it into: read_model(path, into=module)."
        )
    else:
        module, found = into, tensors_of(into)
        if structure_hash([item for item, _ in found]) != header.structure:
            _check_same(header.items, found, header)
    plan = read_body(reader, [item for item, _ in found])
    with torch.no_grad():
        values = [_values(plan, tensor, own) for tensor, (_, own) in zip(plan.tensors, found)]
        for (_, own), value in zip(found, values, strict=True):
            if value is not None:
                own.copy_(value)
    return module


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
        raise damaged(f"expected numbers that {own.dtype} has, for {tensor.item.name}, got larger", 0)
    return value


def _check_same(
    written: Sequence[Item] | None, found: Sequence[tuple[Item, Tensor]], header: Header
) -> None:
    """Refuse a module of another structure, and say what differs, as far as the file says."""
    own = [item for item, _ in found]
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


def _bytes_of(path: str | PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"Cannot read {path}: {error.strerror}. Check the path."
        ) from None
