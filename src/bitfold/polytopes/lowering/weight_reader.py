"""Reads the weights of a module into one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._utils import _flatten_dense_tensors

# Views keep the memory of the weights alive, so only small modules have them: half a megabyte. For
# more weights the time to copy them hides the time of the calls.
_MOST_VIEWED = 2**16


class WeightReader:
    """Copies weights into one float64 array; keeps views of a small module's weights.

    PyTorch's operations cost more than the copy of a small module's weights. NumPy reads views of
    the same memory several times as fast, as long as the weights stay where they are.

    >>> reader = WeightReader()
    >>> weights = [torch.tensor([[1.0, 2.0]], requires_grad=True), torch.tensor([3.0])]
    >>> reader.read(weights).tolist()
    [1.0, 2.0, 3.0]
    >>> _ = weights[1].mul_(2)
    >>> reader.read(weights).tolist()
    [1.0, 2.0, 6.0]
    """

    def __init__(self) -> None:
        self._addresses: list[int] | None = None
        self._views: list[NDArray[np.floating]] = []

    def read(self, weights: Sequence[Tensor]) -> Tensor:
        """Read the weights as they are now.

        Args:
            weights: floating-point tensors of the same shapes, types and devices at every call.

        Returns:
            float64 (numbers,), on the CPU: a copy, one tensor behind the other.
        """
        if self._addresses is not None:
            is_known = [weight.data_ptr() for weight in weights] == self._addresses
            if is_known and all([weight.is_contiguous() for weight in weights]):  # noqa: C419 - faster
                return torch.from_numpy(np.concatenate(self._views, dtype=np.float64))
        self._view(weights)
        with torch.no_grad():
            return _flattened(weights)

    def _view(self, weights: Sequence[Tensor]) -> None:
        self._addresses, self._views = None, []
        is_small = 0 < sum(weight.numel() for weight in weights) <= _MOST_VIEWED
        if is_small and all(map(_is_viewable, weights)):
            self._views = [weight.detach().numpy().reshape(-1) for weight in weights]
            self._addresses = [weight.data_ptr() for weight in weights]


def _is_viewable(weight: Tensor) -> bool:
    is_plain = type(weight) in {Tensor, torch.nn.Parameter} and weight.device.type == "cpu"
    is_plain = is_plain and weight.dtype in {torch.float32, torch.float64}
    return is_plain and weight.is_contiguous() and weight.layout == torch.strided


def _flattened(weights: Sequence[Tensor]) -> Tensor:
    pieces = list(weights)
    if len({item.device for item in pieces}) > 1:
        pieces = [item.cpu() for item in pieces]
    if len(pieces) > 1 and len({item.dtype for item in pieces}) == 1:
        flat: Tensor = _flatten_dense_tensors(pieces)  # type: ignore[no-untyped-call] # torch leaves it so
    else:
        flat = torch.cat([item.reshape(-1) for item in [torch.empty(0, device="cpu"), *pieces]])
    return flat.to(device="cpu", dtype=torch.float64)
