"""Linear layers on sequences and images, computed input by input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


# TorchFunctionMode carries no annotations.
class LinearPerInput(TorchFunctionMode):
    """Makes linear layers along one of several sides convolutions of width 1, while it is active.

    PyTorch would merge the other sides into the batch, (N, T, features) into (N T, features). Then
    the trace no longer tells which rows belong to which input.

    >>> import torch
    >>> x, weight = torch.ones(2, 3, 4), torch.ones(5, 4)
    >>> with LinearPerInput():
    ...     found = functional.linear(x, weight)
    >>> found.shape, float(found.mean())
    (torch.Size([2, 3, 5]), 4.0)
    """

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function, or its replacement."""
        if func is functional.linear and _first(args, kwargs).ndim > 2:
            return _linear(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _first(args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> Tensor:
    found: Tensor = args[0] if args else (kwargs or {})["input"]
    return found


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002
    rows = input.flatten(1, -2).transpose(1, 2)
    found = functional.conv1d(rows, weight.unsqueeze(-1), bias).transpose(1, 2)
    return found.reshape(*input.shape[:-1], len(weight))
