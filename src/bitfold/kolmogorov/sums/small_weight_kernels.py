"""Compiled loops over lines of weights that are all smaller than a bin, without a table.

In a network that is becoming small, most lines hold no weight as large as a bin. Their cost takes
a few exponentials and logarithms. Written as series, the processor computes them for many weights
at once; table lookups cannot be vectorised in this way.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

Singles = NDArray[np.float32]
Number = Any
"""A float32, which mypy takes for another type after each operation."""

# "arcp" lets LLVM replace quotients by products with an inverse.
_FAST = {"reassoc", "contract", "nsz", "arcp"}
_LN2 = math.log(2)
# The product of a line's masses stays above exp(-this), far within the range of float64.
_MOST_NATS = 600.0
# At this rate a scale is its floor alone.
_MOST_RATE = 1e12


@compiled(error_model="numpy")
def fits_small(weights: Singles, unit: Number, rate: float, floor: float) -> bool:
    """Whether `sum_small` may sum a line.

    Args:
        weights: (n,).
        unit: the factor from weights to bins.
        rate: 1 / the largest scale of the line, without its floor.
        floor: of scales, at least 1/32.
    """
    largest = np.float32(0)
    for number in range(weights.shape[0]):
        largest = max(largest, abs(weights[number] * unit))
    half = 0.5 * rate / (1 + floor * rate)
    return bool(largest < 1 and -math.log(-math.expm1(-half)) * weights.shape[0] < _MOST_NATS)


@compiled(error_model="numpy", fastmath=_FAST)
def sum_small(
    weights: Singles,
    unit: Number,
    base: float,
    rates: Singles,
    floor: float,
    is_rounded: bool,
    slopes: Singles,
    risen: Singles,
) -> tuple[float, float, float]:
    """Sum the cost of weights smaller than a bin under centred Laplace distributions.

    With x = 1 / (2 scale) and p = exp(-x), the bin of 0 has the mass 1 - p, and the next bin costs
    ln 2 + x - ln(1 + p) more. A scale is 1 / (base rate) + floor, so that x is at most 16. p is the
    Taylor polynomial of exp(-x / 64), to within 2e-7, squared six times. ln(1 + p) is a series of
    five terms in p / (2 + p) <= 1/3, to within 1e-6.

    Source: series from Abramowitz & Stegun 1964, 4.2.1 and 4.1.27.

    Args:
        weights: (n,), see `fits_small`.
        unit: the factor from weights to bins.
        base: the line's factor of 1 / scale.
        rates: (n,), each weight's own factor of 1 / scale.
        floor: of scales.
        is_rounded: whether a value costs as much as the nearest bin.
        slopes: (n,), written: by the weights.
        risen: (n,), added to: by the logarithm of 1 / (base rate).

    Returns:
        Nats, the sum of all additions to ``risen``, and the sum of weights times slopes.
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
        # One division serves all three, since a division takes longest.
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
