"""Compiled loops over weights of less than a bin: their cost by arithmetic alone.

Most lines of a network that is becoming small hold no weight that is as large as a bin. What their
weights cost is a few exponentials and logarithms, which the processor works out for many weights at
a time, as it cannot read a table.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

Singles = NDArray[np.float32]
Number = Any
"""A float32, which mypy takes for another type after each operation."""

# "arcp" takes quotients for products with an inverse.
_FAST = {"reassoc", "contract", "nsz", "arcp"}
_LN2 = math.log(2)
# A product of masses is kept above exp(-this), far within float64.
_MOST_NATS = 600.0
# A scale this small is the floor alone.
_MOST_RATE = 1e12


@compiled(error_model="numpy")
def fits_near(weights: Singles, unit: Number, rate: float, floor: float) -> bool:
    """Whether `sum_near` takes a line.

    Args:
        weights: (n,).
        unit: what turns them into bins.
        rate: 1 / the largest scale of the line, without the floor.
        floor: of scales, at least 1/32.
    """
    largest = np.float32(0)
    for number in range(weights.shape[0]):
        largest = max(largest, abs(weights[number] * unit))
    half = 0.5 * rate / (1 + floor * rate)
    return bool(largest < 1 and -math.log(-math.expm1(-half)) * weights.shape[0] < _MOST_NATS)


@compiled(error_model="numpy", fastmath=_FAST)
def sum_near(
    weights: Singles,
    unit: Number,
    base: float,
    rates: Singles,
    floor: float,
    is_rounded: bool,
    slopes: Singles,
    risen: Singles,
) -> tuple[float, float, float]:
    """Sum what weights of less than a bin cost under centred Laplace distributions.

    With x = 1 / (2 scale) and p = exp(-x), the bin of 0 has the mass 1 - p, and the next one costs
    ln 2 + x - ln(1 + p) more. A scale is 1 / (base rate) + floor, so that x is at most 16:
    p is Taylor's polynomial of exp(-x / 64), to within 2e-7, multiplied by itself six times; of
    ln(1 + p) five terms in p / (2 + p) <= 1/3 are left, to within 1e-6.

    Source: none, ours; series from Abramowitz & Stegun 1964, 4.2.1 and 4.1.27.

    Args:
        weights: (n,), see `fits_near`.
        unit: what turns them into bins.
        base: the line's factor of 1 / scale.
        rates: each weight's own factor of it: (n,).
        floor: of scales.
        is_rounded: whether values cost what the nearest bin does.
        slopes: (n,), written: by the weights.
        risen: (n,), added to: by the logarithm of 1 / (base rate).

    Returns:
        Nats, the sum of what is added to ``risen``, and that of weights times slopes.
    """
    one, nothing = np.float32(1), np.float32(0)
    line, least = np.float32(base), np.float32(floor)
    mass, nats, by_line, moved = 1.0, nothing, nothing, nothing
    for number in range(weights.shape[0]):
        rate = min(line * rates[number], np.float32(_MOST_RATE))
        above = one / (one + least * rate)
        half = np.float32(0.5) * rate * above
        power = _exponential(-half)
        rest, sum_one, sum_two = one - power, one + power, np.float32(2) + power
        # One division for all three: nothing else takes as long.
        over_all = power / (rest * sum_one * sum_two)
        over_rest, over_one = over_all * sum_one * sum_two, over_all * rest * sum_two
        first = np.float32(_LN2) + half - _log_one_plus(over_all * rest * sum_one)
        value = weights[number] * unit
        slope = first if value > nothing else -first
        slope = nothing if value == nothing else slope
        slopes[number] = slope * unit
        size = abs(value)
        moved += size * first
        size = np.rint(size) if is_rounded else size
        mass *= np.float64(rest)
        nats += size * first
        rise = half * above * (over_rest - size * (one + over_one))
        by_line += rise
        risen[number] += rise
    return np.float64(nats) - math.log(mass), np.float64(by_line), np.float64(moved)


@compiled(error_model="numpy", fastmath=_FAST, inline="always")
def _exponential(x: Number) -> Number:
    """exp(x) for x of -16 to 0."""
    part, one = x * np.float32(1 / 64), np.float32(1)
    power = one + part * np.float32(1 / 5)
    power = one + part * np.float32(1 / 4) * power
    power = one + part * np.float32(1 / 3) * power
    power = one + part * np.float32(1 / 2) * power
    power = one + part * power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    return power * power


@compiled(error_model="numpy", fastmath=_FAST, inline="always")
def _log_one_plus(share: Number) -> Number:
    """ln(1 + x) for x of 0 to 1, by x / (2 + x)."""
    square = share * share
    series = np.float32(1 / 7) + square * np.float32(1 / 9)
    series = np.float32(1 / 5) + square * series
    series = np.float32(1 / 3) + square * series
    return np.float32(2) * share * (np.float32(1) + square * series)
