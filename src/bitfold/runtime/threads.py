"""Loops over many weights: cut into parts, worked out by threads, put together in order."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
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
    """The results of all parts, worked out by as many threads as PyTorch may use.

    The calling thread takes parts too, and the others stay for the next call: to start or to wake a
    thread takes a tenth of a millisecond, as long as some parts.
    """
    results: dict[int, _Result] = {}
    waiting = deque(range(len(parts)))

    def take_parts() -> None:
        while True:
            try:
                number = waiting.popleft()
            except IndexError:
                return
            try:
                results[number] = work(parts[number])
            except BaseException:
                waiting.clear()  # nobody needs the rest
                raise

    num_helpers = min(torch.get_num_threads(), len(parts)) - 1
    helpers = [_pool().submit(take_parts) for _ in range(num_helpers)]
    try:
        take_parts()
    finally:
        # A helper that was busy with another caller's parts has nothing left to do here.
        started = [helper for helper in helpers if not helper.cancel()]
        wait(started)
    for helper in started:
        helper.result()
    return [results[number] for number in range(len(parts))]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="bitfold-parts")


if hasattr(os, "register_at_fork"):
    # A forked process has none of its parent's threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def array(tensor: Tensor) -> NDArray[Any]:
    """The tensor's own memory, or a copy if it is not contiguous."""
    memory: NDArray[Any] = tensor.detach().contiguous().numpy()
    return memory
