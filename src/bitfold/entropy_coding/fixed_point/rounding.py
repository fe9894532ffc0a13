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
) -> bool:
    """Do what `whole_parameters` says for tensors that lie one behind the other.

    Args:
        values: of all tensors; what is not finite is set to 0.
        sizes: of the tensors, each at least 1.
        lengths: the lengths of steps, ascending.
        bounds: the count of numbers that a precision can tell apart, and the largest number.
        out: whole numbers in the order of the values, and the code of each tensor's step; written.

    Returns:
        Whether all values are finite.
    """
    are_finite = True
    for k in range(len(values)):
        if not math.isfinite(values[k]):
            values[k], are_finite = 0.0, False
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
    return are_finite


@inlined
def _least_step(values: Floats, num_numbers: int, largest_number: int) -> float:
    """The least length of a step with which a tensor's numbers can be sent."""
    lowest, highest = math.inf, -math.inf
    for k in range(len(values)):
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


@compiled
def fix_tensors(
    whole: Ints,
    codes: Ints,
    places: tuple[int, int, int],
    network: tuple[Ints, NDArray[np.int32], Ints, Ints],
) -> None:
    """Write a network as the compiled loops take it.

    Args:
        whole: weights (outputs, inputs) and biases in turn, one behind the other, in steps.
        codes: of the steps, by tensors.
        places: bits behind the point of biases; steps in an octave; and bits behind the point of
            the finest step.
        network: a `FixedNetwork`: its widths are read, and everything else is written.
    """
    widths, numbers, biases, shifts = network
    fraction_bits, in_octave, finest = places
    start, first, first_bias = 0, 0, 0
    for layer in range(len(shifts)):
        num_inputs, num_outputs = widths[layer], widths[layer + 1]
        factor, shifts[layer] = _factor_and_shift(codes[2 * layer], in_octave, finest)
        for row in range(num_outputs):
            for column in range(num_inputs):
                numbers[first + column * num_outputs + row] = whole[start + column] * factor
            start += num_inputs
        first += num_inputs * num_outputs
        factor, shift = _factor_and_shift(codes[2 * layer + 1], in_octave, finest)
        for row in range(num_outputs):
            biases[first_bias + row] = ((whole[start + row] * factor) << fraction_bits) >> shift
        start += num_outputs
        first_bias += num_outputs


@inlined
def _factor_and_shift(code: int, in_octave: int, finest: int) -> tuple[int, int]:
    """A step's length is the factor over 2 to the shift; see `step_lengths`."""
    return in_octave + code % in_octave, finest - code // in_octave
