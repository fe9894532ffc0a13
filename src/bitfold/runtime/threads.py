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
# PyTorch shares out so many elements among two threads: more than 32,768, and not twice as many.
_TWO_THREADS = 40_000


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


def in_order(
    work: Callable[[_Part], _Result], parts: Sequence[_Part], *, are_long: bool = False
) -> list[_Result]:
    """The results of all parts, worked out by as many threads as PyTorch may use.

    The calling thread takes parts too, and the others stay for the next call: to start or to wake a
    thread takes a tenth of a millisecond, as long as some parts.

    Args:
        work: works out a part.
        parts: given to ``work``.
        are_long: whether a part may take a millisecond. Helpers then do not share their cores with
            waiting threads of PyTorch.
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
    if are_long and num_helpers > 0:
        _let_waiting_threads_sleep()
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


def beside(work: Callable[[], _Part], long_work: Callable[[], _Result]) -> tuple[_Part, _Result]:
    """The results of two calls, of which a helper thread makes the second.

    If PyTorch may use one thread only, the calling thread makes both.

    Args:
        work: such as operations of PyTorch, which leave cores idle between them.
        long_work: takes milliseconds in compiled loops, and changes nothing that ``work`` reads.

    Raises:
        What a call raises, when both are over.
    """
    if torch.get_num_threads() == 1:
        return work(), long_work()
    _let_waiting_threads_sleep()
    helper = _pool().submit(long_work)
    try:
        done = work()
    except BaseException:
        if not helper.cancel():
            wait([helper])
        raise
    return done, helper.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="bitfold-parts")


@cache
def _let_waiting_threads_sleep() -> None:
    """Let PyTorch's threads sleep as soon as they wait, where they would take a helper's core.

    After an operation, GNU's OpenMP, which PyTorch has on Linux, lets its threads turn in a loop
    for some milliseconds, in case that another operation follows. If a process has more of them
    than cores, they turn a hundred times only. A thread that calls an operation for the first time
    gets threads of its own: here one, for a helper that stays. Nobody waits for the helper, which
    may be busy with a caller's part.

    Source: the manual of GNU libgomp, ``GOMP_SPINCOUNT``.
    """
    # The helper makes the tensor: a caller that shared out this work could not be forked.
    _pool().submit(lambda: torch.zeros(_TWO_THREADS, device="cpu").add_(1))


def _forget_threads() -> None:
    """Begin anew in a forked process, which has none of its parent's threads."""
    _pool.cache_clear()
    _let_waiting_threads_sleep.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def array(tensor: Tensor) -> NDArray[Any]:
    """The tensor's own memory, or a copy if it is not contiguous."""
    memory: NDArray[Any] = tensor.detach().contiguous().numpy()
    return memory
