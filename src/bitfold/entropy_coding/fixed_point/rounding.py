"""Tensors rounded to whole steps, all in one compiled call. Importing this imports Numba."""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@compiled
def round_tensors(
    values: Floats, sizes: Ints, lengths: Floats, bounds: tuple[int, int], out: tuple[Ints, Ints]
) -> None:
    """Do what `whole_parameters` says for tensors that lie one behind the other.

    Args:
        values: of all tensors; what is not finite is set to 0.
        sizes: of the tensors, each at least 1.
        lengths: the lengths of steps, ascending.
        bounds: the count of numbers that a precision can tell apart, and the largest number.
        out: whole numbers in the order of the values, and the code of each tensor's step; written.
    """
    numbers, codes = out
    num_numbers, largest_number = bounds
    start = 0
    for tensor in range(len(sizes)):
        end = start + sizes[tensor]
        least = _least_step(values[start:end], num_numbers, largest_number)
        codes[tensor] = _code_of_step(lengths, least)
        length, lowest = lengths[codes[tensor]], largest_number
        for k in range(start, end):
            steps = np.rint(values[k] / length)
            numbers[k] = np.int64(min(max(steps, -largest_number), largest_number))
            lowest = min(lowest, numbers[k])
        # Only parameters that have diverged beyond the longest step reach further.
        for k in range(start, end):
            numbers[k] = min(numbers[k], lowest + num_numbers - 1)
        start = end


@inlined
def _least_step(values: Floats, num_numbers: int, largest_number: int) -> float:
    """The least length of a step with which a tensor's numbers can be sent."""
    lowest, highest = math.inf, -math.inf
    for k in range(len(values)):
        if not math.isfinite(values[k]):
            values[k] = 0.0
        lowest, highest = min(lowest, values[k]), max(highest, values[k])
    largest = max(abs(lowest), abs(highest))
    return max((highest - lowest) / (num_numbers - 2), largest / largest_number)


@inlined
def _code_of_step(lengths: Floats, least: float) -> int:
    """The first step that is long enough, or the longest, by bisection."""
    low, high = 0, len(lengths) - 1
    while low < high:
        middle = (low + high) >> 1
        if lengths[middle] < least:
            low = middle + 1
        else:
            high = middle
    return low
