"""The inputs with which a module is calibrated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from bitfold.errors import ModelFileError


class Calibration:
    """Batches of inputs that can be gone through again.

    A batch is a tensor, a tuple or list of several inputs, or a mapping of inputs by name.

    Args:
        given: a list of batches, or anything else that can be gone through again; or one tensor,
            which is one batch.

    Raises:
        ModelFileError: if it can be gone through only once, or not at all.
    """

    def __init__(self, given: object) -> None:
        if isinstance(given, Tensor):
            given = [given]
        try:
            is_exhausted_once = iter(given) is given  # type: ignore[call-overload]
        except TypeError:
            _refuse(f"a {type(given).__name__}")
        if is_exhausted_once:
            _refuse(f"a {type(given).__name__}, which can be gone through only once")
        self._given: Any = given

    def __iter__(self) -> Iterator[Any]:
        number = 0
        for batch in self._given:
            yield batch
            number += 1
        if number == 0:
            _refuse("none")


def outputs_of(module: nn.Module, batch: Any, number: int) -> list[Tensor]:
    """All tensors of real numbers that a module returns for a batch.

    Args:
        module: on whose device the batch is used.
        batch: of a `Calibration`.
        number: of the batch, for the error.

    Raises:
        ModelFileError: if the module does not take the batch, or returns no such tensors.
    """
    device = next((tensor.device for tensor in module.parameters()), torch.device("cpu"))
    batch = _on(batch, device)
    try:
        if isinstance(batch, Mapping):
            found = module(**batch)
        elif isinstance(batch, tuple | list):
            found = module(*batch)
        else:
            found = module(batch)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelFileError(
            f"Cannot calibrate with batch {number}: expected inputs that the module takes, got an "
            f"error: {reason}. Pass what module(batch) takes, without labels."
        ) from None
    tensors = list(_real_tensors(found))
    if not tensors:
        raise ModelFileError(
            "Cannot calibrate: expected a module that returns tensors of real numbers, got a "
            f"{type(found).__name__}. Wrap it in a module that returns its outputs."
        )
    return tensors


def size_of(batch: Any) -> int:
    """How many samples a batch has: the first side of its first tensor."""
    if isinstance(batch, Mapping):
        batch = tuple(batch.values())
    if isinstance(batch, tuple | list):
        batch = next((part for part in batch if isinstance(part, Tensor)), None)
    return max(1, len(batch)) if isinstance(batch, Tensor) and batch.ndim else 1


def _on(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {name: _on(part, device) for name, part in batch.items()}
    if isinstance(batch, tuple | list):
        return [_on(part, device) for part in batch]
    return batch


def _real_tensors(found: Any) -> Iterator[Tensor]:
    if isinstance(found, Tensor):
        if found.is_floating_point():
            yield found
    elif isinstance(found, Mapping):
        for part in found.values():
            yield from _real_tensors(part)
    elif isinstance(found, tuple | list):
        for part in found:
            yield from _real_tensors(part)


def _refuse(got: str) -> NoReturn:
    raise ModelFileError(
        "Cannot calibrate: expected a list of batches of inputs, or anything that can be gone "
        f"through again, got {got}. Pass list(batches)."
    )
