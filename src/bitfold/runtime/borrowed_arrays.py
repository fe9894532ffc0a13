"""Arrays whose references compiled loops do not count. Importing this module imports Numba.

Numba counts the references to an array: each new name for it costs an atomic operation, also where
one function is inlined into another. In the innermost loops this counting takes most of the time.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, register_jitable

from bitfold.runtime import numba_internals


def _uncounted(typing_context: Any, value: Any) -> Any:
    """Numba's definition of `borrowed`: the same arrays with no owner in their structures."""
    del typing_context

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _without_owner(context, builder, signature.args[0], args[0])

    return value(value), generate


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    is_tuple: bool = isinstance(kind, types.BaseTuple)
    if is_tuple:
        unpack: Any = cgutils.unpack_tuple
        items = zip(kind.types, unpack(builder, value), strict=True)
        bare = [_without_owner(context, builder, *item) for item in items]
        return context.make_tuple(builder, kind, bare)
    if not isinstance(kind, types.Array):
        return value
    make_proxy: Any = cgutils.create_struct_proxy
    proxy = make_proxy(kind)
    found = proxy(context, builder, value=value)
    found.meminfo = ir.Constant(found.meminfo.type, None)
    found.parent = ir.Constant(found.parent.type, None)
    return found._getvalue()


def _counted(value: Any) -> Any:
    """The arrays themselves: the plain way, if Numba's internals are not as expected."""
    return value


def make_borrowed(*, is_counted: bool) -> Any:
    """Return the function ``borrowed`` for compiled loops.

    Args:
        is_counted: whether it returns the arrays as they are, whose references Numba counts.
    """
    return register_jitable(_counted) if is_counted else intrinsic(_uncounted)


borrowed: Any = make_borrowed(is_counted=not numba_internals.are_as_expected())
"""In compiled loops ``borrowed(array)`` is the same array without reference counting.

Of a tuple of arrays it is the same tuple of such arrays. The caller must keep the arrays themselves
alive for as long as the borrowed ones are used.
"""
