"""Writing model files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from torch import nn

from bitfold.errors import ModelFileError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.runtime.atomic_files import write_atomically

#: Rounding errors are 36 decibels below the weights.
TOLERANCE = 1 / 64
MOST_TOLERANCE = 4.0


def write_model(
    path: str | PathLike[str],
    module: nn.Module,
    kolmogorov: KolmogorovLoss | None = None,
    *,
    tolerance: float | None = None,
    num_bytes: int | None = None,
    rest_bits: int | None = None,
    sort_neurons: bool = False,
    names: bool = False,
) -> int:
    """Write a module's weights and buffers as a ``.bitfold`` file.

    Without a loss each parameter is coded by whatever takes the fewest bits: a scale for the
    tensor, or for each row and column, or contexts that need no parameters. A parameter whose
    numbers already are whole multiples of some step is kept exactly. Others are rounded to
    multiples of one, vectors such as biases eight times as finely as the rest. Buffers are written
    as they are.

    Source: none, ours; docs/file-format.md is its specification.

    Args:
        path: of the file; written whole or not at all.
        module: any module. A `PolytopeNet` is written with how to build it.
        kolmogorov: codes exactly what this loss describes, to within 1 % and 16 bytes of
            ``kolmogorov.bits()``; what `read_model` gives is its ``decoded_state()``.
        tolerance: without a loss: rounding errors over weights, both root mean square; 1/64 if
            None; 0 writes what lies on no grid in float32.
        num_bytes: instead of a tolerance: the size that the file may have at most.
        rest_bits: of numbers that are not rounded to a grid: 32 (float32, also if None) or 16
            (bfloat16), whole ones always in 32. A loss has its own.
        sort_neurons: without a loss: whether hidden neurons may be written in the order that codes
            shortest, where the network's function provably stays the same but for the order in
            which it adds up: linear layers with elementwise activations between them in an
            ``nn.Sequential`` or `PolytopeNet`.
        names: whether names and shapes are written too, so that an error of `read_model` can say
            what differs.

    Returns:
        The size of the file in bytes.

    Raises:
        ModelFileError: if the module or the loss cannot be written, an option is out of bounds or
            does not go with another, the size cannot be met, or the file not be written.
        KolmogorovError: if the loss's module has changed.
    """
    # Numba takes 0.4 s to import: only those who write a file import it.
    from bitfold.model_file.encoding import Layout, described, in_bytes, rounded  # noqa: PLC0415 - see above

    _check_options(tolerance, num_bytes, rest_bits)
    if kolmogorov is not None:
        options = (tolerance, num_bytes, rest_bits, sort_neurons or None)
        _check_loss(module, kolmogorov, options)
        data = described(module, kolmogorov, names=names)
    else:
        finest = TOLERANCE if tolerance is None else tolerance
        layout = Layout(rest_bits or 32, names=names, sort_neurons=sort_neurons)
        if num_bytes is not None:
            data = in_bytes(module, num_bytes, layout)
        else:
            data = rounded(module, finest, layout)
    try:
        write_atomically(Path(path), data)
    except OSError as error:
        raise ModelFileError(
            f"Cannot write {path}: {error.strerror}. Make room, or choose another place."
        ) from None
    return len(data)


def _check_options(tolerance: float | None, num_bytes: int | None, rest_bits: int | None) -> None:
    found = None
    if tolerance is not None and num_bytes is not None:
        found = "either a tolerance or a number of bytes, got both. Leave one out"
    elif tolerance is not None and not 0 <= tolerance <= MOST_TOLERANCE:
        found = f"a tolerance of 0 to {MOST_TOLERANCE:g}, got {tolerance}. Pass for example 0.01"
    elif num_bytes is not None and num_bytes < 1:
        found = f"at least 1 byte, got {num_bytes}. Pass for example 1000"
    elif rest_bits not in (None, 16, 32):
        found = f"rest_bits of 16 or 32, got {rest_bits}. Choose one of these"
    if found is not None:
        raise ModelFileError(f"Cannot write a model file: expected {found}.")


def _check_loss(
    module: nn.Module, kolmogorov: KolmogorovLoss, options: tuple[float | None, ...]
) -> None:
    if kolmogorov.table.module is not module:
        raise ModelFileError(
            "Cannot write a model file: expected a KolmogorovLoss of the module given, got one of "
            "another. Pass the module that the loss was made with."
        )
    if any(option is not None for option in options):
        raise ModelFileError(
            "Cannot write a model file: expected no tolerance, num_bytes, rest_bits or "
            "sort_neurons beside a KolmogorovLoss, which says what to write, got some. "
            "Leave them or it out."
        )
