"""Arrays without an owner, for compiled loops. Importing this module imports Numba.

Numba counts references to an array whenever it is named anew, also where one function is inlined
into another; each count is an atomic operation, and in the innermost loops they take most of the
time. An array without an owner is not counted.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic


def _borrowed(typing_context: Any, array: Any) -> Any:
    """In compiled loops ``borrowed(array)`` is the same array, not counted.

    Whoever calls must keep the array itself for as long.

    Source: none, ours.
    """
    del typing_context

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        make_proxy: Any = cgutils.create_struct_proxy
        proxy = make_proxy(signature.args[0])
        found = proxy(context, builder, value=args[0])
        found.meminfo = ir.Constant(found.meminfo.type, None)
        found.parent = ir.Constant(found.parent.type, None)
        return found._getvalue()

    return array(array), generate


# Numba has no types: called in a compiled loop, it takes an array and gives one.
borrowed: Any = intrinsic(_borrowed)
