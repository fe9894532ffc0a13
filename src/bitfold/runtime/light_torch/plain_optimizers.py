"""PyTorch's optimisers without TorchDynamo, PyTorch's compiler."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, TypeVar

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=Optimizer)

# Wrapped by PyTorch, so that a step that is compiled leaves them out.
_WRAPPED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def plain(kind: type[Kind]) -> type[Kind]:
    """Return a kind of optimiser that does the same without importing ``torch._dynamo``.

    PyTorch imports its compiler when an optimiser is made, which takes more than a second, a third
    of the time in which a short training starts.

    Args:
        kind: a class of `torch.optim`, for a step that is neither differentiated nor compiled.

    Guarantees: steps, states and errors are those of ``kind``, bit for bit.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> optimizer = plain(torch.optim.SGD)([weight], lr=0.5)
        >>> weight.grad = torch.ones(1)
        >>> optimizer.step()
        >>> weight.item()
        0.5
    """
    given: Any = kind  # a type is hashable, which its stub does not say
    made: type[Kind] = _made(given)
    return made


@cache
def _made(kind: Any) -> Any:
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)
