"""Numba's dispatcher with a cache of our own, a lock, and fewer wrappers to compile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from numba.core import sigutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher

from bitfold.runtime.loop_cache.cache import LoopCache
from bitfold.runtime.loop_cache.digest import DOOR_OPTION
from bitfold.runtime.loop_cache.unfinished_code import unfinished_helpers
from bitfold.runtime.strangers.current_folder import standing_somewhere


class LoopDispatcher(CPUDispatcher):
    """A loop that is compiled once on a machine.

    Before it is compiled, another process that compiles it is waited for, and its result is loaded.
    A loop that only other loops call is compiled without the wrapper through which Python calls it;
    if Python does call it, it is compiled once more with that wrapper. Wrappers take a quarter of
    the time of compiling.

    Args:
        py_func: the function to compile.
        targetoptions: options of `numba.njit`.
    """

    def __init__(self, py_func: Any, targetoptions: dict[str, Any]) -> None:
        # C's wrapper would be needed where loops are handed to loops as arguments. None is.
        super().__init__(py_func, targetoptions={**targetoptions, "no_cfunc_wrapper": True})
        self._with_door, self._without_door = LoopCache(self), LoopCache(self, ".inner")
        self._cache = self._with_door
        self._is_callee = False
        self._doorless: set[tuple[Any, ...]] = set()

    def compile(self, sig: Any) -> Any:
        """Load or compile the loop for argument types; return what Python may call."""
        arguments = tuple(sigutils.normalize_signature(sig)[0])
        with global_compiler_lock:
            if arguments in self.overloads and (self._is_callee or arguments not in self._doorless):
                existing: Any = self.overloads[arguments]
                return existing.entry_point
            self.overloads.pop(arguments, None)
            with (
                standing_somewhere(),  # Numba asks for the current folder
                self._variant(),
                self._cache.locking(),
                unfinished_helpers(),
            ):
                return super().compile(sig)

    def is_stored(self) -> bool:
        """Return whether the loop is on disk as Python calls it, for whatever argument types."""
        return self._with_door.is_stored()

    def is_stored_as_callee(self) -> bool:
        """Return whether the loop is on disk as other loops call it, for whatever types."""
        return self._without_door.is_stored()

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Compile the loop for another loop that calls it."""
        before, self._is_callee = self._is_callee, True
        try:
            return super().get_call_template(args, kws)
        finally:
            self._is_callee = before

    def add_overload(self, cres: Any) -> None:
        """Take up compiled code; Python gets to know it only if it may call it."""
        arguments = tuple(cres.signature.args)
        if self.targetoptions.get(DOOR_OPTION):
            self._doorless.add(arguments)
            self.overloads[arguments] = cres
        else:
            self._doorless.discard(arguments)
            super().add_overload(cres)

    @contextlib.contextmanager
    def _variant(self) -> Iterator[None]:
        """Compile, load and save the code that is asked for, while a block lasts."""
        is_callee, before = self._is_callee, self._cache
        self._cache = self._without_door if is_callee else self._with_door
        self.targetoptions[DOOR_OPTION] = is_callee
        # The loop's own body may call it again, from no one's template.
        self._is_callee = False
        try:
            yield
        finally:
            self._cache, self._is_callee = before, is_callee
            del self.targetoptions[DOOR_OPTION]
