"""Loops over many weights: cut into parts, worked out by threads, put together in order."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")

_MAX_PARTS = 16
# Numbers of all parts' gradients together, of 8 bytes each: 32 MiB.
_MAX_PART_NUMEL = 2**22


def parts_of(start: int, stop: int, least: int, num_gradients: int) -> list[tuple[int, int]]:
    """Split a stretch of weights into parts, the first weight and the one after the last of each.

    The split depends on sizes alone, and each part has gradients of its own, which are added up in
    their order: so does the result.

    Args:
        start: first weight.
        stop: end of the stretch.
        least: weights of a part that is worth a thread of its own.
        num_gradients: numbers that each part holds for itself.

    Example:
        >>> parts_of(0, 50, 10, 1)
        [(0, 12), (12, 25), (25, 37), (37, 50)]
    """
    size = stop - start
    most = min(_MAX_PARTS, size // least, _MAX_PART_NUMEL // max(1, num_gradients))
    # A power of two shares evenly among 2, 4, 8 threads.
    num_parts = 1 << (most.bit_length() - 1) if most > 1 else 1
    return list(pairwise(start + size * part // num_parts for part in range(num_parts + 1)))


def in_order(work: Callable[[_Part], _Result], parts: Sequence[_Part]) -> list[_Result]:
    """The results of all parts, worked out by as many threads as PyTorch may use."""
    num_threads = min(torch.get_num_threads(), len(parts))
    if num_threads == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(num_threads) as pool:
        return list(pool.map(work, parts))


def array(tensor: Tensor) -> NDArray[Any]:
    """The tensor's own memory, or a copy if it is not contiguous."""
    memory: NDArray[Any] = tensor.detach().contiguous().numpy()
    return memory
