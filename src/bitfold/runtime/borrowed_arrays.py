"""Arrays whose references compiled loops do not count. Importing this module imports Numba.

Numba counts the references to an array: each new name for it costs an atomic operation, also where
one function is inlined into another. In the innermost loops this counting takes most of the time.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from bitfold.runtime import numba_internals


def _uncounted(typing_context: Any, array: Any) -> Any:
    """Numba's definition of `borrowed`: the same array with no owner in its structure."""
    del typing_context

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        make_proxy: Any = cgutils.create_struct_proxy
        proxy = make_proxy(signature.args[0])
        found = proxy(context, builder, value=args[0])
        found.meminfo = ir.Constant(found.meminfo.type, None)
        found.parent = ir.Constant(found.parent.type, None)
        return found._getvalue()

    return array(array), generate


def _counted(array: Any) -> Any:
    """The array itself: the plain way, if Numba's internals are not as expected."""
    return array


def make_borrowed(*, is_counted: bool) -> Any:
    """Return the function ``borrowed`` for compiled loops.

    Args:
        is_counted: whether it returns the array as it is, whose references Numba counts.
    """
    return register_jitable(_counted) if is_counted else intrinsic(_uncounted)


borrowed: Any = make_borrowed(is_counted=not numba_internals.are_as_expected())
"""In compiled loops ``borrowed(array)`` is the same array without reference counting.

The caller must keep the array itself alive for as long as the borrowed one is used.
"""
