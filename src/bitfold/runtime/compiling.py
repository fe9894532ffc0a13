"""Loops compiled by Numba, once on a machine. Importing this module imports Numba."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection
from functools import cache
from typing import Any, Literal, TypeVar, overload

import numba
from numba.core import caching, compiler, dispatcher

Loop = TypeVar("Loop", bound=Callable[..., Any])

_CONFIG: Any = numba.config  # has no types
_LOGGER = logging.getLogger("bitfold")
# What `bitfold.runtime.loop_cache.dispatcher` and its cache build on: names and arguments.
_INTERNALS = {
    (dispatcher.Dispatcher, "compile"): ["self", "sig"],
    (dispatcher.Dispatcher, "get_call_template"): ["self", "args", "kws"],
    (dispatcher.Dispatcher, "add_overload"): ["self", "cres"],
    (compiler.CompileResult, "_reduce"): ["self"],
    (caching.IndexDataCacheFile, "__init__"): [
        "self", "cache_path", "filename_base", "source_stamp",
    ],
    (caching.IndexDataCacheFile, "load"): ["self", "key"],
    (caching.IndexDataCacheFile, "save"): ["self", "key", "data"],
    (caching.IndexDataCacheFile, "_load_index"): ["self"],
    (caching.IndexDataCacheFile, "_load_data"): ["self", "name"],
    (caching.IndexDataCacheFile, "_save_data"): ["self", "name", "data"],
    (caching.IndexDataCacheFile, "_dump"): ["self", "obj"],
    (caching.IndexDataCacheFile, "_open_for_write"): ["self", "filepath"],
}  # fmt: skip


@overload
def compiled(loop: Loop, /) -> Loop: ...
@overload
def compiled(
    *,
    inline: Literal["never", "always"] = "never",
    error_model: Literal["python", "numpy"] = "python",
    fastmath: bool | Collection[str] = False,
) -> Callable[[Loop], Loop]: ...
def compiled(loop: Any = None, /, **options: Any) -> Any:
    """Compile a loop at its first call, without the interpreter's lock, and keep it on disk.

    The machine code is kept in ``NUMBA_CACHE_DIR`` if that is set, else beside the package, else in
    the user's folder for caches; `bitfold.runtime.loop_cache.dispatcher` says how.

    Args:
        loop: a function that Numba can compile.
        options: of `numba.njit`.

    Example:
        >>> @compiled
        ... def square(number: int) -> int:
        ...     return number * number
        >>> square(7)
        49
    """
    if loop is None:
        return lambda function: _compiled(function, options)
    return _compiled(loop, options)


def is_stored(loop: Any) -> bool:
    """Return whether a loop was compiled on this machine before, for whatever arguments.

    Args:
        loop: what `compiled` returned.
    """
    if _CONFIG.DISABLE_JIT or not _is_numba_known():
        return True  # nothing is known of it, so nothing should wait for it
    from bitfold.runtime.loop_cache.dispatcher import LoopDispatcher  # noqa: PLC0415 - see _compiled

    return isinstance(loop, LoopDispatcher) and loop.is_stored()


def _compiled(function: Any, options: dict[str, Any]) -> Any:
    if _CONFIG.DISABLE_JIT:
        return function
    if not _is_numba_known():
        return _compiled_by_numba_alone(function, options)
    # Imported late: an unknown Numba may lack what its module needs.
    from bitfold.runtime.loop_cache.dispatcher import LoopDispatcher  # noqa: PLC0415

    return LoopDispatcher(function, {"nopython": True, "nogil": True, **options})


def _compiled_by_numba_alone(function: Any, options: dict[str, Any]) -> Any:
    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # Numba finds no folder that it can write
        return numba.njit(nogil=True, **options)(function)


@cache
def _is_numba_known() -> bool:
    """Whether Numba's internals are as `LoopDispatcher` expects them; if not, after a notice."""
    unknown = [
        f"{owner.__name__}.{name}"
        for (owner, name), expected in _INTERNALS.items()
        if _arguments(owner, name) != expected
    ]
    if unknown:
        _LOGGER.warning(
            "Numba %s has another %s than bitfold expects. Numba compiles the loops by its own "
            "means; processes that start together compile them twice.",
            numba.__version__,
            unknown[0],
        )
    return not unknown


def _arguments(owner: Any, name: str) -> list[str]:
    method = getattr(owner, name, None)
    return [] if method is None else list(inspect.signature(method).parameters)
