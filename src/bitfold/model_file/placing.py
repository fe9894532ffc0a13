"""A file that is read into a module that ``fully_shard`` divides among processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor, nn

from bitfold.errors import KolmogorovError, ModelFileError, printable
from bitfold.kolmogorov.weights.division import row_shards, shards_of
from bitfold.kolmogorov.weights.shards import RowShards
from bitfold.model_file.matching import memory_of
from bitfold.model_file.syntax.structure import tensors_of
from bitfold.runtime.sharding.sharded_modules import is_sharded, local_part
from bitfold.runtime.wrapped_modules import unwrap


class Source(Protocol):
    """What the first process decodes; see `decoding.Decoding`."""

    tensors: list[Tensor]

    def values(self) -> Iterator[Tensor | None]:
        """Yield the new values of each tensor."""


@torch.no_grad()
def read_divided(open_source: Callable[[], Source], into: nn.Module) -> None:
    """Let the first process decode a file, and send each tensor to all, which keep their parts.

    Args:
        open_source: reads and checks the file.
        into: the module. On an error it stays as it is.

    Raises:
        ModelFileError: as `read_model`, in all processes.
    """
    named = tensors_of(unwrap(into))
    own = [tensor for _, tensor in named]
    divided = {item.name: tensor for item, tensor in named if is_sharded(tensor)}
    try:
        shards_of(divided)  # refuses other divisions
    except KolmogorovError as error:
        raise ModelFileError(f"Cannot read into the module: {error}") from None
    shards = row_shards(next(iter(divided.values())))
    source, order, told = None, list[int](), ""
    if shards.is_first:
        try:
            source = open_source()
            numbers = {memory_of(tensor): number for number, tensor in enumerate(own)}
            order = [numbers[memory_of(tensor)] for tensor in source.tensors]
        except Exception as error:
            told = str(error) if isinstance(error, ModelFileError) else printable(repr(error))
    told = shards.send_text(told)
    if told:
        raise ModelFileError(told)
    order = [int(number) for number in shards.send_text(" ".join(map(str, order))).split()]
    values = iter([None] * len(order)) if source is None else source.values()
    for number, value in zip(order, values, strict=True):
        _place(own[number], value, shards)


def _place(own: Tensor, value: Tensor | None, shards: RowShards) -> None:
    """Overwrite a tensor, or the part of it that lies here, with the first process's value."""
    is_absent = torch.tensor([value is None], device="cpu")
    shards.send(is_absent)
    if is_absent:
        return
    whole = torch.empty(own.shape, dtype=own.dtype, device="cpu") if value is None else value
    shards.send(whole)
    part = local_part(own)
    if is_sharded(own):
        first, stop = shards.lines(len(whole))
        whole = whole[first:stop]
    part.copy_(whole)
