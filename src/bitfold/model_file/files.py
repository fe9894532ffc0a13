"""`write_model` and `read_model`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from bitfold.errors import ModelFileError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file.request import Loss, Request
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.strangers.plain_files import check_size, open_plain

_MAX_BYTES = 2**33


def write_model(
    path: str | PathLike[str],
    module: nn.Module | Mapping[str, Tensor] | str | PathLike[str],
    kolmogorov: KolmogorovLoss | None = None,
    *,
    tolerance: float | None = None,
    num_bytes: int | None = None,
    rest_bits: int | None = None,
    sort_neurons: bool = False,
    names: bool = False,
    calibration: Iterable[Any] | None = None,
    loss: Loss | None = None,
    max_loss: float | None = None,
    progress: bool | Callable[[str], None] = False,
) -> int:
    """Write a module's weights and buffers as a ``.bitfold`` file.

    Without a loss, each parameter gets the code that takes the fewest bits: one scale for the
    tensor, a scale for each row and column, contexts that need no parameters, or a count of each
    value. Parameters are rounded to multiples of a step; vectors such as biases are rounded eight
    times as finely as the rest. A parameter whose numbers lie on a grid already, all but one in 16,
    is kept exactly, unless ``tolerance`` or ``num_bytes`` asks for a coarser step.
    Buffers are written as they are.

    Tensors by name, such as those of a ``state_dict()`` or of a ``.safetensors`` file, are written
    with their names: `read_tensors` returns them, and `read_model` reads them into a module that
    has these names. All of real numbers are rounded, but for ``running_mean`` and ``running_var``.

    Source: docs/file-format.md specifies the format.

    Args:
        path: of the file; written whole or not at all.
        module: any module, whose wrappers are left out (see `runtime.wrapped_modules.unwrap`); or a
            mapping of names to tensors; or the path of a ``.safetensors`` file. A `PolytopeNet` is
            written together with the recipe to build it.
        kolmogorov: the file codes exactly what this loss describes, to within 1 % and 16 bytes of
            ``kolmogorov.bits()``, and `read_model` returns its ``decoded_state()``. It is written
            tensor by tensor. If ``fully_shard`` divides the module, all processes call this
            function, and the first one writes the file, which is that of one process.
        tolerance: without a loss: root mean square of rounding errors over that of weights; None
            means 1/64. With 0, numbers on no grid are written in float32.
        num_bytes: without a loss, instead of a tolerance: the largest size of the file.
        rest_bits: without a loss: bits of numbers that are not rounded to a grid, 32 (float32, also
            if None) or 16 (bfloat16). Whole numbers always have 32.
        sort_neurons: without a loss: whether hidden neurons may be reordered so that the file gets
            shorter. This is done for linear layers with elementwise activations between them, in
            an ``nn.Sequential`` or `PolytopeNet`: their outputs provably stay the same, but for the
            order of additions.
        calibration: without a loss: batches of inputs of the module, without labels, in a list or
            anything else that can be gone through again. A batch is a tensor, a tuple of several
            inputs, or a mapping of inputs by name. Weights are then rounded so that the outputs
            for these inputs change as little as possible, and ``tolerance`` is the root mean square
            of that change over that of the outputs.
        loss: without a `KolmogorovLoss`, instead of a size or a tolerance: a function of a decoded
            module in evaluation mode, such as its error on validation samples. The shortest file
            that was found with a value of at most ``max_loss`` is written. The function is called
            up to 15 times, and its values should grow as files get shorter.
        max_loss: the largest value of ``loss``, > 0.
        progress: whether a line on standard error says what is being done; or a function that is
            called with such lines.
        names: whether to write names and shapes too, as is always done for tensors by name. An
            error of `read_model` can then say which tensor differs.

    Returns:
        The size of the file in bytes.

    Raises:
        ModelFileError: if the module or the loss cannot be written, an option is out of bounds or
            does not go with another one, the size cannot be met, or the file cannot be written.
        KolmogorovError: if the loss's module has changed.
    """
    # Numba takes 0.4 s to import: only those who write a file import it.
    from bitfold.model_file.described import write_described  # noqa: PLC0415 - see above
    from bitfold.model_file.encoding import file_of  # noqa: PLC0415 - as above
    from bitfold.model_file.sources import (  # noqa: PLC0415 - as above
        check_loss,
        check_place,
        source_of,
    )

    request = Request(
        tolerance=tolerance,
        num_bytes=num_bytes,
        loss=loss,
        max_loss=max_loss,
        rest_bits=rest_bits,
        sort_neurons=sort_neurons,
        names=names,
        calibration=calibration,
    )
    source = source_of(module)
    check_place(path, module)
    if kolmogorov is not None:
        check_loss(source, kolmogorov, request.without_loss)
        return write_described(path, kolmogorov, names=names)
    data = file_of(source, request, progress)
    _write(path, data)
    return len(data)


def read_model(path: str | PathLike[str], into: nn.Module | None = None) -> nn.Module:
    """Read a ``.bitfold`` file.

    Every decoded number follows from integer arithmetic and one correctly rounded product. So all
    machines, numbers of threads and versions decode the same numbers.

    Source: docs/file-format.md specifies the format.

    Args:
        path: of the file.
        into: a module of the structure that was written, whose weights and buffers are replaced; it
            may be wrapped. Tensors that were written with names are found by their names, in any
            order. On an error it stays as it is. If ``fully_shard`` divides it, all processes call
            this function, and the first one reads the file. None: the network is built by the
            recipe in the file.

    Returns:
        ``into``, or the network in float32 on the CPU.

    Raises:
        ModelFileError: if there is no such file, it is damaged, of a later version or not for this
            module, or if it has no recipe and ``into`` is None.
    """
    # Numba takes 0.4 s to import: only those who read a file import it.
    from bitfold.model_file.decoding import decoded_from  # noqa: PLC0415 - see above

    return decoded_from(partial(bytes_of, path), into)


def read_tensors(path: str | PathLike[str]) -> dict[str, Tensor]:
    """Read the tensors of a ``.bitfold`` file that has their names or a recipe.

    Args:
        path: of the file.

    Returns:
        By name, in the order in which they were written. Real numbers are in float32, whole ones in
        int32, complex ones in complex64, on the CPU.

    Raises:
        ModelFileError: as `read_model`, and if the file has neither names nor a recipe.
    """
    # Numba takes 0.4 s to import: only those who read a file import it.
    from bitfold.model_file.decoding import decoded_tensors  # noqa: PLC0415 - see above

    return decoded_tensors(bytes_of(path))


def write_safetensors(path: str | PathLike[str], source: str | PathLike[str]) -> int:
    """Write the tensors of a ``.bitfold`` file as a ``.safetensors`` file.

    Args:
        path: of the file to write; written whole or not at all.
        source: a file with names or a recipe, see `read_tensors`.

    Returns:
        The size of the written file in bytes.

    Raises:
        ModelFileError: as `read_tensors`, and if the file cannot be written.
    """
    from safetensors.torch import save  # noqa: PLC0415 - only who writes such a file needs it

    # Some programs read no file that does not say whose tensors it holds.
    data: bytes = save(read_tensors(source), {"format": "pt"})
    _write(path, data)
    return len(data)


def _write(path: str | PathLike[str], data: bytes) -> None:
    try:
        write_atomically(Path(path), data)
    except OSError as error:
        raise ModelFileError(
            f"Cannot write {path}: {error.strerror}. Free some space, or choose another path."
        ) from None


def bytes_of(path: str | PathLike[str]) -> bytes:
    """All bytes of a file.

    Raises:
        ModelFileError: if it cannot be read.
    """
    try:
        # The user named the file, which may well be a link; but it has an end, and is read at once.
        with open_plain(Path(path), "rb", buffering=0, follows_links=True) as file:
            check_size(file, _MAX_BYTES)
            return file.read()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(f"Cannot read {path}: {reason}. Check the path.") from None
