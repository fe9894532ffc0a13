"""Operations on sixteen float32 at once, for compiled loops that LLVM does not vectorise by itself.

Numba relies on LLVM to vectorise loops, and LLVM gives up where it cannot prove that several arrays
do not overlap. This module adds a type of sixteen lanes to Numba, whose operations are LLVM's
vector instructions: one of AVX-512, two of AVX, or four of SSE or NEON. `numba_internals` checks
that the installed Numba and LLVM have what this module uses. Importing it imports Numba.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16

_FLOAT = ir.FloatType()
_FLOATS = ir.VectorType(_FLOAT, LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)

# 2^x = 2^n 2^f, n = round(x), abs(f) <= 1/2. Among polynomials of degree 5 with float32
# coefficients and constant term 1, this one has the smallest maximal relative error of 2^f: 9.4e-8,
# one and a half roundings of float32. Linear programming over 8,001 Chebyshev points found it.
_COEFFICIENTS = (
    0.0013269515475258231,
    0.009671290405094624,
    0.0555071085691452,
    0.24022246897220612,
    0.6931470036506653,
    1.0,
)
# Adding 1.5 * 2^23 rounds to a whole number, which then stands in the lowest bits of the sum.
_ROUNDER = 1.5 * 2**23
_MANTISSA_BITS = 23
# For smaller exponents 2^n is not a normal float32.
_SMALLEST_POWER = -125.0


class Lanes(types.Type):
    """Numba's type of sixteen float32 in a register."""

    def __init__(self) -> None:
        super().__init__("float32x16")


_LANES = Lanes()


def _operation(define: Callable[..., Any]) -> Any:
    """Numba's `intrinsic`, typed so that callers do not pass the compiler's context."""
    return intrinsic(define)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)  # type: ignore[no-untyped-call] # as Numba has it


@_operation
def load(_: Any, array: Any, offset: Any) -> tuple[Any, Callable[..., Any]]:
    """Sixteen values of a contiguous 1-d array from ``offset`` on; bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *arguments)
        return builder.load(pointer, align=4)

    return _LANES(array, types.intp), generate


@_operation
def store(_: Any, array: Any, offset: Any, lanes: Any) -> tuple[Any, Callable[..., Any]]:
    """Write sixteen values to a contiguous 1-d array; bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@_operation
def splat(_: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """The same float32 in each lane."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _splat(builder, arguments[0])

    return _LANES(types.float32), generate


@_operation
def multiply_add(_: Any, a: Any, b: Any, c: Any) -> tuple[Any, Callable[..., Any]]:
    """a * b + c, rounded once where the processor can."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _multiply_add(builder, *arguments)

    return _LANES(a, b, c), generate


@_operation
def multiply(_: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """a * b."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments)

    return _LANES(a, b), generate


@_operation
def add(_: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """a + b."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return _LANES(a, b), generate


@_operation
def maximum(_: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """The larger of a and b; b where one of them is NaN."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _maximum(builder, *arguments)

    return _LANES(a, b), generate


@_operation
def where_positive(_: Any, sign: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """a where ``sign`` is above 0, b elsewhere."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        is_positive = builder.fcmp_ordered(">", arguments[0], _constant(0.0))
        return builder.select(is_positive, *arguments[1:])

    return _LANES(sign, a, b), generate


@_operation
def total(_: Any, a: Any) -> tuple[Any, Callable[..., Any]]:
    """The sum of the lanes, in a fixed order."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_FLOAT, [_FLOAT, _FLOATS])
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        operands = [ir.Constant(_FLOAT, -0.0), arguments[0]]
        # Without "reassoc" LLVM would add the lanes one after the other.
        return builder.call(_declared(builder, kind, name), operands, fastmath=("reassoc",))

    return types.float32(a), generate


@_operation
def largest(_: Any, a: Any) -> tuple[Any, Callable[..., Any]]:
    """The largest of the lanes that are not NaN."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_FLOAT, [_FLOATS])
        name = f"llvm.vector.reduce.fmax.v{LANES}f32"
        return builder.call(_declared(builder, kind, name), arguments)

    return types.float32(a), generate


@_operation
def power_of_two(_: Any, exponent: Any) -> tuple[Any, Callable[..., Any]]:
    """2^exponent to 2e-7 relative, at least 2^-126; the exponent below 127; NaN stays."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        x = _maximum(builder, _constant(_SMALLEST_POWER), arguments[0])
        shifted = builder.fadd(x, _constant(_ROUNDER))
        f = builder.fsub(x, builder.fsub(shifted, _constant(_ROUNDER)))
        value = _constant(_COEFFICIENTS[0])
        for coefficient in _COEFFICIENTS[1:]:
            value = _multiply_add(builder, value, f, _constant(coefficient))
        # Adding n to the exponent field multiplies by 2^n.
        shift = ir.Constant(_INTS, [_MANTISSA_BITS] * LANES)
        n = builder.shl(builder.bitcast(shifted, _INTS), shift)
        return builder.bitcast(builder.add(builder.bitcast(value, _INTS), n), _FLOATS)

    return _LANES(exponent), generate


def _pointer(context: Any, builder: Any, kind: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), ir.PointerType(_FLOATS))


def _constant(value: float) -> Any:
    return ir.Constant(_FLOATS, [value] * LANES)


def _splat(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(_INTS, [0] * LANES)
    return builder.shuffle_vector(first, undefined, zeros)


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    name = f"llvm.fmuladd.v{LANES}f32"
    return builder.call(_declared(builder, kind, name), [a, b, c])


def _declared(builder: Any, kind: Any, name: str) -> Any:
    """Declare a function that LLVM provides."""
    get_or_insert: Any = cgutils.get_or_insert_function  # has no types
    return get_or_insert(builder.module, kind, name)


def _maximum(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)
