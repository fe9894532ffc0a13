"""How the parameters of a module are divided among processes, and which divisions K takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from torch import Tensor

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.weights.box import box_of
from bitfold.kolmogorov.weights.shards import RowShards, Shards, Whole
from bitfold.runtime.sharding.sharded_modules import is_sharded


def shards_of(parameters: Mapping[str, Tensor]) -> Shards:
    """How parameters are divided: all here, or by ``fully_shard`` (FSDP2) along dimension 0.

    Args:
        parameters: the described ones, by name.

    Raises:
        KolmogorovError: if only some of them are divided, or if they are divided otherwise, such as
            by tensor parallelism.
    """
    divided = {name: item for name, item in parameters.items() if is_sharded(item)}
    if not divided:
        return Whole()
    for name in parameters:
        if name not in divided:
            _refuse(
                name,
                f"all of it on each process, beside {next(iter(divided))!r}, which is divided. "
                "Call fully_shard on the whole module, or exclude the parameter",
            )
    items: dict[str, Any] = dict(divided)
    first = next(iter(items.values()))
    shards = row_shards(first)
    for name, item in items.items():
        if not _is_by_rows(item):
            _refuse(
                name,
                f"{tuple(item.placements)}. Divide the module by fully_shard alone, without "
                "tensor parallelism and without shard_placement_fn",
            )
        if item.device_mesh != first.device_mesh:
            _refuse(name, "one on another mesh of processes. Make a loss for each mesh")
        lines = box_of(item.shape, is_transposed=False).num_outputs
        start, stop = shards.lines(lines)
        if len(item.to_local()) != stop - start:
            found = f"{len(item.to_local())} of {lines} rows here, where {stop - start} belong"
            _refuse(name, f"{found}. Divide the module by fully_shard alone")
    return shards


def row_shards(tensor: Any) -> RowShards:
    """The shards of a DTensor that `shards_of` accepts."""
    *replicas, group = tensor.device_mesh.get_all_groups()
    return RowShards(group, replicas, tensor.device)


def check_whole(shards: Shards, what: str, instead: str) -> None:
    """Refuse what a module on one process alone can do.

    Args:
        shards: of the described weights.
        what: cannot be done, such as ``"round to bits"``.
        instead: a sentence that says what to do.

    Raises:
        KolmogorovError: if the weights are divided.
    """
    if not shards.is_whole:
        raise KolmogorovError(
            f"Cannot {what}: expected all weights in each process, got parameters that "
            f"fully_shard divides. {instead}"
        )


def _is_by_rows(item: Any) -> bool:
    """Whether a DTensor is divided by rows, within replicas if its mesh has two dimensions."""
    *outer, inner = item.placements
    # Subclasses of Shard stand for divisions in another order.
    plain = type(inner).__name__ == "Shard" and inner.is_shard(0)
    return plain and len(outer) < 2 and all(one.is_replicate() for one in outer)


def _refuse(name: str, found: str) -> NoReturn:
    raise KolmogorovError(
        f"Cannot describe parameter {name!r}: expected whole rows of it on each process, as "
        f"fully_shard divides it, got {found}."
    )
