"""Smooth activations and their slopes for compiled loops, by polynomials that LLVM vectorises.

Numba calls the processor's library for one number at a time, which takes longer than all else of a
narrow layer. Importing this module imports Numba.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.networks.activations import ACTIVATION_CODES
from bitfold.runtime.compiling import compiled

Floats = NDArray[np.float32]
Number = Any
"""A float32, which mypy takes for another type after each operation."""

ABS, TANH, GELU, SINE = (ACTIVATION_CODES[name] for name in ("abs", "tanh", "gelu", "sine"))
"""Codes of activations; smaller numbers are slopes of leaky_relu, and larger ones the sigmoid's."""

_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
_LOG2_E = np.float32(1 / math.log(2))
# exp(-87) is the smallest normal float32.
_MOST = np.float32(87)
# 2^f for abs(f) <= 1/2, to 9.4e-8 relative; see `vector_lanes`.
_P5, _P4 = np.float32(0.0013269515475258231), np.float32(0.009671290405094624)
_P3, _P2 = np.float32(0.0555071085691452), np.float32(0.24022246897220612)
_P1 = np.float32(0.6931470036506653)
# erf(z) is 1 - t (A1 + t (A2 + ...)) exp(-z^2) with t = 1 / (1 + P z), to 1.5e-7 for z >= 0.
# Source: Abramowitz & Stegun 1964, 7.1.26.
_P = np.float32(0.3275911)
_A1, _A2, _A3 = np.float32(0.254829592), np.float32(-0.284496736), np.float32(1.421413741)
_A4, _A5 = np.float32(-1.453152027), np.float32(1.061405429)
_ROOT_HALF, _ROOT_TAU = np.float32(math.sqrt(0.5)), np.float32(1 / math.sqrt(2 * math.pi))
# Taylor polynomial of the sine for abs(x) <= pi/2, to 6e-8: its next term is (pi/2)^13 / 13!.
_S3, _S5, _S7 = np.float32(-1 / 6), np.float32(1 / 120), np.float32(-1 / 5040)
_S9, _S11 = np.float32(1 / 362880), np.float32(-1 / 39916800)


@compiled(error_model="numpy", fastmath={"contract"}, inline="always")
def activate(values: Floats, code: float, out: Floats, num_rows: int, num_columns: int) -> None:
    """Write the activations of rows of sums."""
    if code <= ABS:
        _fold(values, code, out, num_rows, num_columns)
    else:
        _bend(values, code, out, num_rows, num_columns)


@compiled(error_model="numpy", fastmath={"contract"}, inline="always")
def derive(values: Floats, code: float, delta: Floats, num_rows: int, num_columns: int) -> None:
    """Multiply gradients by the slopes of activations at rows of sums."""
    if code <= ABS:
        _unfold(values, code, delta, num_rows, num_columns)
    else:
        _unbend(values, code, delta, num_rows, num_columns)


@compiled(error_model="numpy", fastmath={"contract"}, inline="always")
def _fold(values: Floats, code: float, out: Floats, num_rows: int, num_columns: int) -> None:
    if code < ABS:
        slope = np.float32(code)
        for o in range(num_rows):
            for t in range(num_columns):
                x = values[o, t]
                low = slope * x if slope != 0 else np.float32(0)
                out[o, t] = low if x <= 0 else x
    else:
        for o in range(num_rows):
            for t in range(num_columns):
                out[o, t] = abs(values[o, t])


@compiled(error_model="numpy", fastmath={"contract"}, inline="always")
def _bend(values: Floats, code: float, out: Floats, num_rows: int, num_columns: int) -> None:
    if code == TANH:
        for o in range(num_rows):
            for t in range(num_columns):
                out[o, t] = _tanh(values[o, t])
    elif code == GELU:
        for o in range(num_rows):
            for t in range(num_columns):
                out[o, t] = values[o, t] * _normal(values[o, t])
    elif code == SINE:
        for o in range(num_rows):
            for t in range(num_columns):
                out[o, t] = _sine(np.float64(values[o, t]))
    else:
        for o in range(num_rows):
            for t in range(num_columns):
                out[o, t] = _ONE / (_ONE + _exponential(-values[o, t]))


@compiled(error_model="numpy", fastmath={"contract"}, inline="always")
def _unfold(values: Floats, code: float, delta: Floats, num_rows: int, num_columns: int) -> None:
    if code < ABS:
        slope = np.float32(code)
        for o in range(num_rows):
            for t in range(num_columns):
                low = slope * delta[o, t] if slope != 0 else np.float32(0)
                delta[o, t] = low if values[o, t] <= 0 else delta[o, t]
    else:
        for o in range(num_rows):
            for t in range(num_columns):
                x = values[o, t]
                rise = _ONE if x > 0 else (-_ONE if x < 0 else x)
                delta[o, t] *= rise


@compiled(error_model="numpy", fastmath={"contract"}, inline="always")
def _unbend(values: Floats, code: float, delta: Floats, num_rows: int, num_columns: int) -> None:
    if code == TANH:
        for o in range(num_rows):
            for t in range(num_columns):
                y = _tanh(values[o, t])
                delta[o, t] *= _ONE - y * y
    elif code == GELU:
        for o in range(num_rows):
            for t in range(num_columns):
                x = values[o, t]
                density = _ROOT_TAU * _exponential(-_HALF * x * x)
                delta[o, t] *= _normal(x) + x * density
    elif code == SINE:
        for o in range(num_rows):
            for t in range(num_columns):
                delta[o, t] *= _sine(np.float64(values[o, t]) + math.pi / 2)
    else:
        for o in range(num_rows):
            for t in range(num_columns):
                y = _ONE / (_ONE + _exponential(-values[o, t]))
                delta[o, t] *= y * (_ONE - y)


@compiled(error_model="numpy", fastmath={"contract"}, inline="always")
def _exponential(x: Number) -> Number:
    """exp(x) to 2e-7 relative, between exp(-87) and exp(87); NaN stays NaN."""
    x = _MOST if x > _MOST else (-_MOST if x < -_MOST else x)
    power = x * _LOG2_E
    whole = np.rint(power)
    # In two parts, since the product is rounded to 2^-17 for large x.
    part = (x - whole * np.float32(0.693359375)) + whole * np.float32(2.12194440e-4)
    part *= _LOG2_E
    value = _ONE + part * (_P1 + part * (_P2 + part * (_P3 + part * (_P4 + part * _P5))))
    exponent = np.int32(np.int32(whole) + np.int32(127)) << np.int32(23)
    return value * np.int32(exponent).view(np.float32)


@compiled(error_model="numpy", fastmath={"contract"}, inline="always")
def _tanh(x: Number) -> Number:
    """tanh(x) to 2e-7: 1 - 2 / (exp(2 x) + 1)."""
    return _ONE - _TWO / (_exponential(_TWO * x) + _ONE)


@compiled(error_model="numpy", fastmath={"contract"}, inline="always")
def _normal(x: Number) -> Number:
    """The normal distribution function at x, to 2e-7."""
    z = abs(x) * _ROOT_HALF
    t = _ONE / (_ONE + _P * z)
    tail = t * (_A1 + t * (_A2 + t * (_A3 + t * (_A4 + t * _A5)))) * _exponential(-z * z)
    return _ONE - _HALF * tail if x >= 0 else _HALF * tail


@compiled(error_model="numpy", inline="always")
def _sine(x: float) -> Number:
    """sin(x) of a float64 to 2e-7, for abs(x) below 2^30."""
    turns = np.rint(x * (1 / math.pi))
    r = np.float32(x - turns * math.pi)
    # The sign is that of cos(turns pi).
    odd = turns - 2 * np.floor(turns * 0.5)
    square = r * r
    series = _S7 + square * (_S9 + square * _S11)
    series = r + r * square * (_S3 + square * (_S5 + square * series))
    return -series if odd > 0.5 else series
