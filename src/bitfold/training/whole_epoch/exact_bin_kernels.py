"""The cost of bins under centred Laplace distributions, exactly, for weights that no table holds.

`table_sums.can_read_table` says which those are. Importing this module imports Numba.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_LN2 = math.log(2)
# For larger x, 1 - exp(-x) loses less than four of float64's sixteen digits.
_NOT_TINY = 1e-3


@compiled(error_model="numpy")
def sum_exactly(  # noqa: PLR0917 - as `sum_tensor`
    weights: Floats, unit: float, log_factors: tuple[float, Floats, Floats, int], floor: float,
    limits: tuple[float, float], is_rounded: bool, slopes: Floats,
    gradient: tuple[Doubles, Doubles],
) -> tuple[float, float, float]:  # fmt: skip
    """Sum the cost of one tensor's weights in learned steps, in range and out of it.

    The first and the last bin hold the tails beyond them; see `log_mass_laplace`. A weight that
    lies d bins out of range costs as much as at the edge plus 2 ln(1 + d) nats; see `confine`.

    Args:
        weights: (n,).
        unit: the factor from weights to bins, 1 / step.
        log_factors: as `table_kernels.sum_tensor` takes them.
        floor: of scales.
        limits: the numbers of the first and the last bin.
        is_rounded: whether a value costs as much as the nearest bin. Slopes are the same.
        slopes: (n,), written: by the weights.
        gradient: added to: (slower,) and (faster,), by logarithms of factors.

    Returns:
        Nats, the derivative by the logarithm of the tensor's factor, and that by the logarithm of
        the unit.
    """
    own, slower, faster, together = log_factors
    by_slower, by_faster = gradient
    single = np.float32(unit)
    total = by_own = by_unit = 0.0
    number = 0
    for line in range(slower.shape[0]):
        for pair in range(faster.shape[0]):
            factor = math.exp(float(own + slower[line] + faster[pair]))
            inverse = 1 / (factor + floor)
            risen = 0.0
            for _ in range(together):
                value = weights[number] * single
                nats, slope, rise = _cost(float(value), inverse, limits, is_rounded)
                slopes[number] = np.float32(slope) * single
                by_unit += slope * float(value)
                total += nats
                risen += rise
                number += 1
            # The derivative of 1 / (factor + floor) by the logarithm of the factor.
            risen *= -factor * inverse * inverse
            by_own += risen
            by_slower[line] += risen
            by_faster[pair] += risen
    return total, by_own, by_unit


@compiled(error_model="numpy")
def _cost(
    value: float, inverse: float, limits: tuple[float, float], is_rounded: bool
) -> tuple[float, float, float]:
    """Return a weight's cost, its slope by the value, and its slope by 1 / scale."""
    if math.isnan(value):
        return value, value, value
    first, last = limits
    within = min(max(value, first), last)
    below = min(math.floor(within), last - 1)
    low, low_rise = _bin(below, inverse, limits)
    high, high_rise = _bin(below + 1, inverse, limits)
    share, slope = within - below, high - low
    share = np.rint(within) - below if is_rounded else share
    slope = 0.0 if value == 0 else slope
    nats = low + share * (high - low)
    if within != value:
        beyond = abs(value - within)
        nats += 2 * math.log1p(beyond)
        slope = math.copysign(2 / (1 + beyond), value)
    return nats, slope, low_rise + share * (high_rise - low_rise)


@compiled(error_model="numpy")
def _bin(number: float, inverse: float, limits: tuple[float, float]) -> tuple[float, float]:
    """Return the cost of a bin and its slope by 1 / scale; the bin of 0 lies within the range."""
    size = abs(number)
    if size == 0:
        power = math.exp(-inverse / 2)
        rest = 1 - power if inverse > _NOT_TINY else -math.expm1(-inverse / 2)
        return -math.log(rest), -0.5 * power / rest
    nats, slope = _LN2 + (size - 0.5) * inverse, size - 0.5
    if limits[0] < number < limits[1]:
        power = math.exp(-inverse)
        rest = 1 - power if inverse > _NOT_TINY else -math.expm1(-inverse)
        return nats - math.log(rest), slope - power / rest
    return nats, slope
