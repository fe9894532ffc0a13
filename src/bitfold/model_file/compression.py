"""`compress`: a module as bytes, and as what they decode to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from torch import nn

from bitfold.errors import ModelFileError
from bitfold.model_file.request import Loss, Request
from bitfold.runtime.module_state import copied
from bitfold.runtime.wrapped_modules import unwrap


class Compressed(NamedTuple):
    """A module in few bytes.

    Attributes:
        data: the bytes of a ``.bitfold`` file.
        module: a copy of the module, without wrappers, with the weights that the file decodes to.
    """

    data: bytes
    module: nn.Module


def compress(
    module: nn.Module,
    *,
    calibration: Iterable[Any] | None = None,
    num_bytes: int | None = None,
    tolerance: float | None = None,
    loss: Loss | None = None,
    max_loss: float | None = None,
    rest_bits: int | None = None,
    progress: bool | Callable[[str], None] = False,
) -> Compressed:
    """Write a module as bytes, and decode them.

    The bytes are those of the file that `write_model` writes with the same options. It says what
    each option means. What a `KolmogorovLoss` describes is written by `write_model` alone.

    Args:
        module: any module; it stays as it is.
        calibration: batches of inputs, without labels.
        num_bytes: the largest size.
        tolerance: the relative change of the outputs, or of the weights without calibration.
        loss: judges a decoded module, in evaluation mode.
        max_loss: the largest value of ``loss``.
        rest_bits: of numbers that are not rounded, 32 or 16.
        progress: whether a line on standard error says what is being done; or a function that is
            called with such lines.

    Returns:
        The bytes, and a copy of the module with the decoded weights.

    Raises:
        ModelFileError: as `write_model`.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> network = nn.Sequential(nn.Linear(9, 50), nn.ReLU(), nn.Linear(50, 3))
        >>> inputs = torch.randn(100, 9)
        >>> small = compress(network, calibration=[inputs], num_bytes=500)
        >>> len(small.data) <= 500
        True
        >>> bool((small.module(inputs) - network(inputs)).std() < 0.1 * network(inputs).std())
        True
    """
    # Numba takes 0.4 s to import: only those who write a file import it.
    from bitfold.model_file.decoding import decoded  # noqa: PLC0415 - see above
    from bitfold.model_file.encoding import file_of  # noqa: PLC0415 - as above
    from bitfold.model_file.sources import source_of  # noqa: PLC0415 - as above

    if not isinstance(module, nn.Module):
        raise ModelFileError(
            f"Cannot compress: expected a torch.nn.Module, got a {type(module).__name__}. Tensors "
            "by name go to write_model."
        )
    request = Request(
        tolerance=tolerance,
        num_bytes=num_bytes,
        loss=loss,
        max_loss=max_loss,
        rest_bits=rest_bits,
        calibration=calibration,
    )
    data = file_of(source_of(module), request, progress)
    return Compressed(data, decoded(data, copied(unwrap(module))))
