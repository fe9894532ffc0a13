"""Loops compiled by Numba. Importing this module imports Numba."""

from collections.abc import Callable, Collection
from typing import Any, Literal, TypeVar, overload

from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])


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
    compile_loop = njit(cache=True, nogil=True, **options)
    return compile_loop if loop is None else compile_loop(loop)
