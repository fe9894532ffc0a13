"""Loops compiled by Numba, once on a machine. Importing this module imports Numba."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal, TypeVar, overload

import numba

from bitfold.runtime import numba_internals

Loop = TypeVar("Loop", bound=Callable[..., Any])

_CONFIG: Any = numba.config  # has no types


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
    if _CONFIG.DISABLE_JIT or not numba_internals.are_as_expected():
        return True  # nothing is known of it, so nothing should wait for it
    from bitfold.runtime.loop_cache.dispatcher import LoopDispatcher  # noqa: PLC0415 - see _compiled

    return isinstance(loop, LoopDispatcher) and loop.is_stored()


def _compiled(function: Any, options: dict[str, Any]) -> Any:
    if _CONFIG.DISABLE_JIT:
        return function
    if not numba_internals.are_as_expected():
        # Not kept on disk: Numba's own cache would not notice a change in another file.
        return numba.njit(nogil=True, **options)(function)
    # Imported late: an unknown Numba may lack what its module needs.
    from bitfold.runtime.loop_cache.dispatcher import LoopDispatcher  # noqa: PLC0415

    return LoopDispatcher(function, {"nopython": True, "nogil": True, **options})
