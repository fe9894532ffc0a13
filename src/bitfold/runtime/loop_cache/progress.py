"""How far the compiling of loops is, for a bar."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from numba.core import event

from bitfold.runtime.loop_cache.digest import loops_within


@contextlib.contextmanager
def compile_progress(report: Callable[[int, int], None]) -> Iterator[None]:
    """While a block lasts, report each loop that this thread compiles.

    Args:
        report: called with (loops compiled, loops known to be needed). The second number grows when
            a further loop is called, by all loops that this one calls and that are not on disk.
    """
    listener = _Listener(report)
    event.register("numba:compile", listener)
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)


class _Listener(event.Listener):
    def __init__(self, report: Callable[[int, int], None]) -> None:
        self._report, self._thread = report, threading.get_ident()
        self._depth = self._num_compiled = self._num_known = 0

    def on_start(self, event: Any) -> None:
        """Count what a loop needs if it is called from Python."""
        if threading.get_ident() != self._thread:
            return
        if self._depth == 0:
            self._num_known += _num_missing(event.data["dispatcher"])
            self._report(self._num_compiled, self._num_known)
        self._depth += 1

    def on_end(self, event: Any) -> None:
        """Count a loop; functions of Numba itself are part of the loop that calls them."""
        if threading.get_ident() != self._thread:
            return
        self._depth -= 1
        if _is_loop(event.data["dispatcher"]):
            self._num_compiled += 1
            self._num_known = max(self._num_known, self._num_compiled)
        if self._depth == 0:  # loops that the arguments' types do not need were counted too
            self._num_known = self._num_compiled
        self._report(self._num_compiled, self._num_known)


def _num_missing(loop: Any) -> int:
    """The loops that are compiled together with a loop: those it calls that are nowhere yet."""
    if not _is_loop(loop):
        return 0
    callees = [callee for callee in loops_within(loop)[1:] if not _is_source_copied(callee)]
    return 1 + sum(not callee.overloads and not _is_stored(callee) for callee in callees)


def _is_loop(dispatcher: Any) -> bool:
    return not str(dispatcher.py_func.__module__).startswith("numba.")


def _is_source_copied(loop: Any) -> bool:
    return bool(loop.targetoptions.get("inline") == "always")


def _is_stored(loop: Any) -> bool:
    from bitfold.runtime.loop_cache.dispatcher import LoopDispatcher  # noqa: PLC0415 - may be unusable

    return isinstance(loop, LoopDispatcher) and loop.is_stored_as_callee()
