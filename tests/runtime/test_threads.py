"""Tests of work that is shared among threads."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from bitfold.runtime.threads import _forget_threads, beside, in_order


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    """Let PyTorch use three threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_results_are_in_the_order_of_the_parts() -> None:
    """Three threads, which meet at a barrier, give the results of one."""
    barrier = threading.Barrier(3)

    def work(part: int) -> tuple[int, int]:
        if part < 3:
            barrier.wait(60)
        return part * part, threading.get_ident()

    found = in_order(work, range(50))
    assert [result for result, _ in found] == [part * part for part in range(50)]
    assert len({thread for _, thread in found[:3]}) == 3
    assert in_order(work, []) == []


def test_an_error_in_any_part_reaches_the_caller() -> None:
    """The error of a part is raised, whoever worked on it."""
    for broken in range(6):

        def work(part: int, broken: int = broken) -> int:
            return 1 // (part - broken)

        with pytest.raises(ZeroDivisionError):
            in_order(work, range(6))


@pytest.mark.parametrize("are_long", [False, True])
def test_many_callers_at_once_wait_for_none_but_their_own(*, are_long: bool) -> None:
    """Parts that share out parts of their own end, though all helpers are taken."""
    _forget_threads()

    def inner(part: int) -> int:
        return part

    def outer(part: int) -> int:
        return sum(in_order(inner, range(part), are_long=are_long))

    assert in_order(outer, range(40)) == [sum(range(part)) for part in range(40)]


def test_two_calls_are_made_at_the_same_time() -> None:
    """Each waits for the other; with one thread of PyTorch the caller makes both."""
    barrier = threading.Barrier(2)

    def met() -> int:
        barrier.wait(60)
        return threading.get_ident()

    here, there = beside(met, met)
    assert here == threading.get_ident() != there
    torch.set_num_threads(1)
    assert beside(threading.get_ident, threading.get_ident) == (here, here)


def test_an_error_of_either_call_is_raised_when_both_are_over() -> None:
    """Nothing goes on behind the back of a caller that has the error."""
    ended = []

    def slow() -> None:
        time.sleep(0.2)
        ended.append(True)

    def failing() -> None:
        time.sleep(0.05)  # the other call has begun
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        beside(failing, slow)
    assert ended == [True]
    with pytest.raises(ZeroDivisionError):
        beside(slow, failing)
    assert ended == [True, True]


def _shared(number: int) -> list[int]:
    torch.set_num_threads(2)
    return in_order(lambda part: part + number, range(4), are_long=number > 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_helpers_of_its_own() -> None:
    """After a fork the helpers of the parent are gone, and new ones are started."""
    in_order(lambda part: part, range(4), are_long=True)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_shared, (1,)).get(60) == [1, 2, 3, 4]
        assert pool.apply_async(_shared, (2,)).get(60) == [2, 3, 4, 5]


_COUNT = """
import os, threading, time, torch
from bitfold.runtime.threads import in_order

def others():
    return len(os.listdir("/proc/self/task")) - threading.active_count()

torch.set_num_threads(2)
in_order(abs, range(4))
before, deadline = others(), time.monotonic() + 60
for _ in range(20):
    in_order(abs, range(4), are_long=True)
while others() == before and time.monotonic() < deadline:
    time.sleep(0.01)
print(others() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc")
def test_long_parts_start_one_more_thread_of_pytorch() -> None:
    """A helper gets one of its own, once; that there are many makes those that wait sleep."""
    found = subprocess.run(
        [sys.executable, "-c", _COUNT], capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout.split() == ["1"]
