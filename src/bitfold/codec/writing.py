"""Writing model files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from torch import nn

from bitfold.errors import ModelFileError
from bitfold.files import write_atomically
from bitfold.kolmogorov import KolmogorovLoss


def write_model(
    path: str | PathLike[str],
    module: nn.Module,
    kolmogorov: KolmogorovLoss | None = None,
    *,
    names: bool = False,
) -> int:
    """Write a module's weights and buffers as a ``.bitfold`` file.

    Source: none, ours; docs/file-format.md is its specification.

    Args:
        path: of the file; written whole or not at all.
        module: any module. A `PolytopeNet` is written with how to build it.
        kolmogorov: codes exactly what this loss describes, to within 1 % and 16 bytes of
            ``kolmogorov.bits()``; what `read_model` gives is its ``decoded_state()``.
        names: whether names and shapes are written too, so that an error of `read_model` can say
            what differs.

    Returns:
        The size of the file in bytes.

    Raises:
        ModelFileError: if the module or the loss cannot be written, or the file not.
        KolmogorovError: if the loss describes another module, or its module has changed.
    """
    if kolmogorov is not None and kolmogorov.table.module is not module:
        raise ModelFileError(
            "Cannot write a model file: expected a KolmogorovLoss of the module given, got one of "
            "another. Pass the module that the loss was made with."
        )
    # Numba takes 0.4 s to import: only those who write a file import it.
    from bitfold.codec.encoding import encoded  # noqa: PLC0415 - see above
    from bitfold.codec.from_kolmogorov import plan_of_kolmogorov  # noqa: PLC0415 - see above

    assert kolmogorov is not None
    data = encoded(module, plan_of_kolmogorov(kolmogorov), names=names)
    try:
        write_atomically(Path(path), data)
    except OSError as error:
        raise ModelFileError(
            f"Cannot write {path}: {error.strerror}. Make room, or choose another place."
        ) from None
    return len(data)
