"""Functions compiled into the loops that call them. Importing this module imports Numba."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba.extending import register_jitable

from bitfold.runtime import numba_internals

Function = TypeVar("Function", bound=Callable[..., Any])

# Wrappers, for callers other than compiled loops, take longer to compile than a short function.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
if numba_internals.are_as_expected():
    from bitfold.runtime.loop_cache.unfinished_code import UnfinishedCompiler

    _OPTIONS["pipeline_class"] = UnfinishedCompiler


def inlined(function: Function) -> Function:
    """Compile a function into each compiled loop that calls it, and nowhere else.

    LLVM copies its machine code into the caller. ``compiled(inline="always")`` copies the source
    before types are known instead, which makes one large function of many small ones: types of that
    take ten times as long to infer. Called from Python, the function is interpreted.

    Args:
        function: one that Numba can compile.

    Example:
        >>> from bitfold.runtime.compiling import compiled
        >>> @inlined
        ... def half(number):
        ...     return number / 2
        >>> @compiled
        ... def quarter(number):
        ...     return half(number) / 2
        >>> quarter(3), half(3)
        (0.75, 1.5)
    """
    copied: Function = register_jitable(forceinline=True, **_OPTIONS)(function)
    return copied


def embedded(function: Function) -> Function:
    """Compile a function into the program of each compiled loop that calls it.

    It is like `inlined`, but LLVM decides whether to copy the machine code or to call it.

    Args:
        function: one that Numba can compile.
    """
    called: Function = register_jitable(**_OPTIONS)(function)
    return called
