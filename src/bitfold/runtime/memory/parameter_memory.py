"""Parameters read where they lie, as one vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class FlatMemory:
    """Where parameters lie, to copy them without making a view of each at every call.

    Its views keep that memory alive: nothing else can come to lie there.

    Args:
        parameters: in the order in which they are copied.

    Attributes:
        views: float32 (n,) of each parameter's own memory, if all are contiguous float32 on the
            CPU; else None, and `flat` does not work.

    >>> parameters = [torch.ones(2, 2), torch.zeros(1)]
    >>> memory = FlatMemory(parameters)
    >>> parameters[1][0] = 5
    >>> memory.is_that_of(parameters), memory.flat().tolist()
    (True, [1.0, 1.0, 1.0, 1.0, 5.0])
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._addresses = _addresses(parameters)
        self.views: list[NDArray[np.float32]] | None = None
        if all(is_plain(p) and p.is_contiguous() for p in parameters):
            self.views = [p.detach().view(-1).numpy() for p in parameters]

    def is_that_of(self, parameters: Sequence[Tensor]) -> bool:
        """Whether parameters still lie there."""
        return _addresses(parameters) == self._addresses

    def flat(self) -> NDArray[np.float32]:
        """Return a copy of the parameters as they now are, one behind the other."""
        assert self.views is not None
        return np.concatenate(self.views)


def _addresses(parameters: Sequence[Tensor]) -> list[int]:
    """Where each begins; 0 for one that is not in order there, such as a transposed one."""
    return [item.data_ptr() if item.is_contiguous() else 0 for item in parameters]


def is_plain(tensor: Tensor) -> bool:
    """Whether compiled loops take it: float32 on the CPU."""
    return tensor.is_cpu and tensor.dtype == torch.float32 and not tensor.is_neg()
