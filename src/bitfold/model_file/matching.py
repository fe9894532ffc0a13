"""The tensors of a file and those of a module, brought together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from bitfold.errors import ModelFileError
from bitfold.model_file.syntax.header import Header
from bitfold.model_file.syntax.structure import (
    REAL,
    TRANSPOSED,
    Item,
    aliases_of,
    structure_hash,
    tensors_of,
)
from bitfold.runtime.sharding.sharded_modules import local_part
from bitfold.runtime.wrapped_modules import unwrap


def matching(
    header: Header, written: Sequence[Item] | None, module: nn.Module
) -> tuple[list[Item], list[Tensor]]:
    """Find the tensor of a module that each tensor of a file is meant for.

    Without names both have the same order, and the hash of names and shapes tells that it is the
    same module. With names the order may differ.

    Args:
        header: of the file.
        written: the file's tensors, if it has names or a recipe.
        module: to read into; it may be wrapped.

    Returns:
        The items in the file's order, and for each of them a tensor that shares the memory of the
        module's.

    Raises:
        ModelFileError: if the module has another structure; with names it says what differs.
    """
    inner = unwrap(module)
    own = tensors_of(inner)
    items, tensors = [item for item, _ in own], [tensor for _, tensor in own]
    if written is None:
        if header.structure not in _hashes(items, inner, module):
            raise ModelFileError(
                "Cannot read a model file into this module: expected the structure "
                f"{header.structure.hex()}, got {structure_hash(items).hex()}, of {len(own)} "
                "tensors. Pass the architecture that was written; files written with names=True "
                "name the tensor."
            )
        return items, tensors
    if list(written) == items:
        return items, tensors
    by_name = _by_name(written, inner)
    if by_name is None:
        raise ModelFileError(_difference(written, items))
    return list(written), by_name


def _hashes(items: Sequence[Item], *modules: nn.Module) -> Iterator[bytes]:
    """The hashes of a module's items; and with wrappers in names, as earlier versions had them."""
    yield structure_hash(items)
    for module in modules:
        yield structure_hash([item for item, _ in tensors_of(module, with_wrappers=True)])


def _by_name(written: Sequence[Item], module: nn.Module) -> list[Tensor] | None:
    """A module's tensors in the file's order; None unless names and shapes are the same."""
    aliases = aliases_of(module)
    kinds = {memory_of(tensor): item.kind for item, tensor in tensors_of(module)}
    found = list[Tensor]()
    for item in written:
        tensor = aliases.get(item.name)
        if tensor is None or tuple(tensor.shape) != item.shape:
            return None
        # Tensors by name do not say that they are kernels of transposed convolutions.
        kind = kinds.get(memory_of(tensor), item.kind)
        if {item.kind, kind} - {REAL, TRANSPOSED} and item.kind != kind:
            return None
        found.append(tensor)
    read = {memory_of(tensor) for tensor in found}
    is_whole = all(memory_of(tensor) in read for _, tensor in tensors_of(module))
    return found if is_whole else None


def memory_of(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    """Where a tensor lies, or its part of this process, and its shape: the same for aliases."""
    return local_part(tensor).data_ptr(), tuple(tensor.shape)


def _difference(written: Sequence[Item], own: Sequence[Item]) -> str:
    differing = [pair for pair in zip(written, own, strict=False) if pair[0] != pair[1]]
    expected, got = f"{len(written)} tensors", f"{len(own)}"
    if differing:
        expected, got = map(str, differing[0])
    return (
        f"Cannot read a model file into this module: expected {expected}, got {got}. "
        "Pass the architecture that was written."
    )
