"""Compiled loops that read the cost of weights from a table, by the logarithm of the scale."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.kolmogorov.sums.small_weight_kernels import fits_small, sum_small
from bitfold.runtime.compiling import compiled

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]

LogFactors = tuple[float, Singles, Singles, int]
"""Logarithms of factors: the tensor's, those of its slower and of its faster lines; and the number
of weights that share both."""

Number = Any
"""A float32; mypy infers another type after each operation."""

Curve = tuple[Number, Number, Number, Number, Number, Number]
"""The table at one scale: zero, first, inverse; and the rise of each from its entry to the next."""

_FAST = {"reassoc", "contract", "nsz"}
# Weights that are summed in float32 before the sum is added to float64.
_RUN = 4096
# Beyond this logarithm a scale is far below the floor or above any grid; products of exponentials
# stay finite.
_MOST = 40.0


# The flags let LLVM reorder sums, always in the same way, so that it can vectorise the loops.
@compiled(error_model="numpy", fastmath=_FAST)
def sum_tensor(
    weights: Singles,
    unit: float,
    log_factors: LogFactors,
    table: tuple[Singles, float, float, float],
    is_rounded: bool,
    slopes: Singles,
    gradient: tuple[Doubles, Doubles],
    room: Singles,
) -> tuple[float, float, float]:
    """Sum the cost of one tensor's weights, with its gradients.

    The bin at distance x from 0 costs ``zero`` for x = 0 and ``zero + first + (x - 1) / scale``
    beyond; between two bins the cost is interpolated. The table holds zero, first and 1 / scale at
    evenly spaced logarithms of scales, and is interpolated between them.

    Args:
        weights: (n,), all at least one bin away from the ends of the grid.
        unit: the factor from weights to bins, 1 / step.
        log_factors: see `LogFactors`.
        table: (3, size): zero, first, 1 / scale; the first logarithm; entries for each nat; the
            floor of scales, which the table includes.
        is_rounded: whether a value costs as much as the nearest bin. Slopes are the same.
        slopes: (n,), written: by the weights.
        gradient: added to: (slower,) and (faster,), by logarithms of factors.
        room: scratch memory, (4, at least faster).

    Returns:
        Nats, the derivative by the logarithm of the tensor's factor, and that by the logarithm of
        the unit.
    """
    own, slower, faster, together = log_factors
    costs, low, rate, floor = table
    by_slower, by_faster = gradient
    num_faster = faster.shape[0]
    entries, by_entry = room[0, :num_faster], room[1, :num_faster]
    risen, rates = room[2, :num_faster], room[3, :num_faster]
    for number in range(num_faster):
        entries[number] = faster[number] * np.float32(rate)
        by_entry[number] = risen[number] = np.float32(0)
        rates[number] = np.exp(min(-faster[number], np.float32(_MOST)))
    total = by_own = by_unit = 0.0
    single = np.float32(unit)
    for line in range(slower.shape[0]):
        base, start = np.float32((own + slower[line] - low) * rate), line * num_faster * together
        stop = start + num_faster * together
        some, their = weights[start:stop], slopes[start:stop]
        inverse = math.exp(min(-own - slower[line], _MOST))
        if together > 1:
            nats, by_line, moved = _sum_shared(
                some, single, base, entries, costs, is_rounded, their, by_entry
            )
            by_line *= rate
        elif fits_small(some, single, inverse * rates.min(), floor):
            nats, by_line, moved = sum_small(
                some, single, inverse, rates, floor, is_rounded, their, risen
            )
        else:
            nats, by_line, moved = _sum_single(
                some, single, base, entries, costs, is_rounded, their, by_entry
            )
            by_line *= rate
        total += nats
        by_own += by_line
        by_unit += moved
        by_slower[line] += by_line
    for number in range(num_faster):
        by_faster[number] += risen[number] + by_entry[number] * np.float32(rate)
    return total, by_own, by_unit


@compiled(error_model="numpy", fastmath=_FAST)
def _sum_single(
    weights: Singles,
    unit: Number,
    base: Number,
    entries: Singles,
    costs: Singles,
    is_rounded: bool,
    slopes: Singles,
    risen: Singles,
) -> tuple[float, float, float]:
    """Sum a line of weights with a scale each; return nats, and derivatives by entries and unit."""
    nats = by_line = moved = np.float32(0)
    for number in range(weights.shape[0]):
        curve, value = _curve(base + entries[number], costs), weights[number] * unit
        cost, slope, rise = _cost(value, curve, is_rounded)
        slopes[number] = slope * unit
        moved += slope * value
        nats += cost
        by_line += rise
        risen[number] += rise
    return np.float64(nats), np.float64(by_line), np.float64(moved)


@compiled(error_model="numpy", fastmath=_FAST)
def _sum_shared(
    weights: Singles,
    unit: Number,
    base: Number,
    entries: Singles,
    costs: Singles,
    is_rounded: bool,
    slopes: Singles,
    risen: Singles,
) -> tuple[float, float, float]:
    """Sum a line of weights that share scales; return nats, and derivatives by entries and unit."""
    total = by_line = by_unit = 0.0
    together = weights.shape[0] // entries.shape[0]
    for pair in range(entries.shape[0]):
        curve = _curve(base + entries[pair], costs)
        first, end = pair * together, (pair + 1) * together
        by_pair = 0.0
        while first < end:
            stop = min(first + _RUN, end)
            nats = risen_by = moved = np.float32(0)
            for number in range(first, stop):
                value = weights[number] * unit
                cost, slope, rise = _cost(value, curve, is_rounded)
                slopes[number] = slope * unit
                moved += slope * value
                nats += cost
                risen_by += rise
            total += np.float64(nats)
            by_pair += np.float64(risen_by)
            by_unit += np.float64(moved)
            first = stop
        by_line += by_pair
        risen[pair] += np.float32(by_pair)
    return total, by_line, by_unit


@compiled(error_model="numpy", fastmath=_FAST, inline="always")
def _curve(position: Number, costs: Singles) -> Curve:
    """Read the table at a position, in entries from the first; before the first it is constant."""
    within = min(max(position, np.float32(0)), np.float32(costs.shape[1] - 1.01))
    entry = np.int32(within)
    share = within - np.float32(entry)
    zero_rise = costs[0, entry + 1] - costs[0, entry]
    first_rise = costs[1, entry + 1] - costs[1, entry]
    inverse_rise = costs[2, entry + 1] - costs[2, entry]
    return (
        costs[0, entry] + share * zero_rise,
        costs[1, entry] + share * first_rise,
        costs[2, entry] + share * inverse_rise,
        zero_rise if position > 0 else np.float32(0),
        first_rise if position > 0 else np.float32(0),
        inverse_rise if position > 0 else np.float32(0),
    )


@compiled(error_model="numpy", fastmath=_FAST, inline="always")
def _cost(value: Number, curve: Curve, is_rounded: bool) -> tuple[Number, Number, Number]:
    """Return a weight's cost, its slope by the value, and its rise from an entry to the next."""
    zero, first, inverse, zero_rise, first_rise, inverse_rise = curve
    one, nothing = np.float32(1), np.float32(0)
    size = abs(value)
    slope = first if size < one else inverse
    slope = slope if value > nothing else -slope
    slope = nothing if value == nothing else slope
    size = np.rint(size) if is_rounded else size
    near, far = min(size, one), max(size - one, nothing)
    cost = zero + near * first + far * inverse
    return cost, slope, zero_rise + near * first_rise + far * inverse_rise
