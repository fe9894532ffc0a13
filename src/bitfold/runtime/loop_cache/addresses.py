"""Compiled loops called by address, so that the caller holds no second copy of their machine code.

A loop that calls another one by name contains it: LLVM optimises the copy together with its caller,
which takes as long as compiling both anew, and may round sums in another order than the original.
A call by address runs the very machine code that Python runs. Importing this module imports Numba.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import typeof, types
from numba.core import cgutils
from numba.extending import intrinsic


class LoopAddress:
    """Where the machine code of a loop lies; keep it for as long as the address is used.

    Args:
        loop: what `bitfold.runtime.compiling.compiled` returned.
        arguments: an example of what the loop is called with; compiled for their types if needed.

    Attributes:
        number: the address.
    """

    def __init__(self, loop: Any, *arguments: Any) -> None:
        signature = tuple(map(typeof, arguments))
        if signature not in loop.overloads:
            loop.compile(signature)
        self._code = loop.overloads[signature]
        name = self._code.fndesc.llvm_func_name
        self.number: int = self._code.library.get_pointer_to_function(name)


def _caller(result: Any) -> Any:
    """Return an operation ``call(address, arguments)`` for loops of one type of result.

    The types of the arguments, a tuple, must be exactly those of the loop at the address.
    """

    def define(_: Any, address: Any, arguments: Any) -> Any:
        kinds = list(arguments.types)

        def generate(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
            unpack: Any = cgutils.unpack_tuple  # has no types
            unlikely: Any = cgutils.if_unlikely
            convention = context.call_conv
            kind = convention.get_function_type(result, kinds)
            function = builder.inttoptr(given[0], ir.PointerType(kind))
            values = unpack(builder, given[1])
            status, found = convention.call_function(builder, function, result, kinds, values)
            with unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return context.get_dummy_value() if result == types.none else found

        return result(address, arguments), generate

    return intrinsic(define)


call_for_nothing: Any = _caller(types.none)
call_for_number: Any = _caller(types.float64)
_THREE: Any = types.UniTuple
call_for_three: Any = _caller(_THREE(types.float64, 3))
