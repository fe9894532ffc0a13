"""Partitions from files."""

from __future__ import annotations

from pathlib import Path

from bitfold.polytopes.backends import FileBackend
from bitfold.polytopes.files.partition_file import read_partition
from bitfold.polytopes.partition import Partition


def load_partition(path: str | Path) -> Partition:
    """Read a partition that `Partition.save` wrote.

    The result can do everything that the saved partition could, except evaluate points outside its
    domain. Nothing in the file is trusted: a file whose parts do not fit each other is refused, and
    no memory is reserved for what it merely claims to contain. `Partition.check` verifies the
    geometry and the maps as well.

    Args:
        path: of the file.

    Raises:
        PolytopeError: the file cannot be read, or is not a partition's; the error says why.

    >>> load_partition("none.npz")
    Traceback (most recent call last):
    bitfold.errors.PolytopeError: Cannot read partition none.npz: No such file or directory. ...
    """
    content = read_partition(Path(path))
    is_whole = len(content.layers) == content.layers_in_all
    backend = FileBackend(
        content.subdivision,
        is_whole,
        content.layers_in_all,
        content.patterns,
        content.maps,
        content.outputs,
    )
    return Partition(
        content.subdivision,
        content.layer_sizes,
        content.layers,
        content.num_given_up,
        content.plane,
        backend,
        num_encoding_layers=content.num_encoding_layers,
    )
