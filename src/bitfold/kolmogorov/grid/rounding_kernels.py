"""Compiled loops that round weights to whole steps."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Weights = NDArray[np.float32]

Rounding = tuple[float, tuple[float, float], float, int, int]
"""1 over the step; the lowest and highest bin's value; the distance of bins; the index of the last
bin and that of the origin."""

#: Numbers of bins are cut off here.
MOST_NUMBER: Final = 2.0**51


@compiled(error_model="numpy")
def round_to_steps(
    weights: Weights, step: float, limits: tuple[float, float], rounded: Weights
) -> None:
    """Round each weight to a whole number of steps.

    Numbers are counted from the lowest one within the limits, and from the nearer limit beyond
    them. `Bins.nearest` and `overshoot_bins` count alike, so halves are rounded to the same side.

    Args:
        weights: (n,).
        step: as sent.
        limits: the lowest and the highest number within the range.
        rounded: (n,), written.
    """
    lowest, highest = limits
    inverse = 1 / step
    for i in range(weights.shape[0]):
        value = np.float64(weights[i]) * inverse
        number = lowest + np.rint(value - lowest)
        number = highest + np.rint(value - highest) if value > highest else number
        number = lowest - np.rint(lowest - value) if value < lowest else number
        rounded[i] = np.float32(number * step)


@compiled(error_model="numpy")
def count_bins(weights: Weights, rounding: Rounding, numbers: NDArray[np.int64]) -> bool:
    """The number of the bin that each weight decodes as, operation by operation as `bin_numbers`.

    Args:
        weights: (n,).
        rounding: of the tensor.
        numbers: (n,), written; minus the origin where a weight is not finite.

    Returns:
        Whether all weights are finite.
    """
    are_finite = True
    for i in range(weights.shape[0]):
        value = np.float64(weights[i]) * rounding[0]
        are_finite = are_finite and np.isfinite(value)
        numbers[i] = number_of(value, rounding)
    return are_finite


@compiled
def clip_to_bins(numbers: NDArray[np.int64], origin: int, last: int) -> bool:
    """Turn the numbers of bins into indices, 0 to ``last``, in place.

    Args:
        numbers: (n,), of `count_bins`; one beyond the range becomes the outer bin.
        origin: the index of number 0.
        last: the last index.

    Returns:
        Whether an outer bin has a weight.
    """
    has_outer = False
    for i in range(numbers.shape[0]):
        index = min(max(numbers[i] + origin, 0), last)
        has_outer = has_outer or index in (0, last)
        numbers[i] = index
    return has_outer


@compiled(error_model="numpy")
def count_outside(
    weights: Weights, units: Weights, ends: NDArray[np.int64], limits: tuple[float, float]
) -> int:
    """The number of finite weights that lie outside the range, as `Bins.outside` finds in float32.

    Args:
        weights: of all tensors (n,).
        units: of each tensor, 1 / step.
        ends: the end of each tensor's weights.
        limits: the lowest and the highest number within the range.
    """
    lowest, highest = np.float32(limits[0]), np.float32(limits[1])
    found = at = 0
    for number in range(len(ends)):
        for i in range(at, ends[number]):
            value = weights[i] * units[number]
            found += np.isfinite(weights[i]) and (value < lowest or value > highest)
        at = ends[number]
    return found


@inlined
def number_of(value: float, rounding: Rounding) -> int:
    """The number of the bin that a value in steps decodes as; minus the origin if not finite."""
    _, (minimum, maximum), width, last, origin = rounding
    if not np.isfinite(value):
        return -origin
    inside = min(max(value, minimum), maximum)
    index = min(max(np.rint((inside - minimum) / width), 0.0), np.float64(last))
    beyond = np.rint(abs(value - inside) / width)
    index += -beyond if index == 0 else beyond
    return int(np.int64(min(max(index, -MOST_NUMBER), MOST_NUMBER)) - origin)


@compiled(error_model="numpy", fastmath={"reassoc", "contract"})
def sum_slopes(weights: Weights, rounded: Weights, gradient: Weights) -> float:
    """Sum gradient times (rounded - weight) in float64, always in the same order.

    Args:
        weights: (n,).
        rounded: (n,).
        gradient: (n,).
    """
    total = 0.0
    for i in range(weights.shape[0]):
        total += np.float64(gradient[i]) * (np.float64(rounded[i]) - np.float64(weights[i]))
    return total
