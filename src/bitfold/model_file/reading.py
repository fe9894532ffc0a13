"""Reading model files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from torch import nn

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
    # Numba takes 0.4 s to import: only those who read a file import it.
    from bitfold.model_file.decoding import decoded  # noqa: PLC0415 - see above

    return decoded(bytes_of(path), into)


def bytes_of(path: str | PathLike[str]) -> bytes:
    """All of a file, or an error of ours."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ModelFileError(f"Cannot read {path}: {error.strerror}. Check the path.") from None
