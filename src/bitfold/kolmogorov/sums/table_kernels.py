"""Compiled loops over weights whose cost is read from a table, by the logarithm of its scale."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.kolmogorov.sums.small_weight_kernels import fits_near, sum_near
from bitfold.runtime.compiling import compiled

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]

Box = tuple[float, Singles, Singles, int]
"""The logarithm of a tensor's factor, those of its slower and of its faster lines, and how many
weights share both."""

Number = Any
"""A float32, which mypy takes for another type after each operation."""

Curve = tuple[Number, Number, Number, Number, Number, Number]
"""What the cost is made of at a scale: zero, first, inverse; and by how much each rises from the
table's entry to the next."""

_FAST = {"reassoc", "contract", "nsz"}
# So many weights are summed in float32 before their sum is added to one in float64.
_RUN = 4096
# Logarithms beyond it are those of scales far below the floor or above any grid; their
# exponentials' products stay finite.
_MOST = 40.0


# Sums may be put into another order, always the same one: that is what makes the processor work on
# several weights at a time.
@compiled(error_model="numpy", fastmath=_FAST)
def sum_box(
    weights: Singles,
    unit: float,
    box: Box,
    table: tuple[Singles, float, float, float],
    is_rounded: bool,
    slopes: Singles,
    gradient: tuple[Doubles, Doubles],
) -> tuple[float, float, float]:
    """Sum what the weights of one tensor cost, with its gradients.

    With x the absolute value, a bin costs ``zero`` for x = 0 and ``zero + first + (x - 1) / scale``
    beyond; between two bins a cost is interpolated. The table holds all three for logarithms of
    scales that are evenly spaced, and they too are interpolated between these.

    Source: none, ours.

    Args:
        weights: (n,), all at least one bin away from the ends of the grid.
        unit: what turns them into bins: 1 / step.
        box: see `Box`.
        table: (3, size): zero, first, 1 / scale; the first logarithm; entries for each nat; the
            floor of scales, which the table has in it.
        is_rounded: whether values cost what the nearest bin does. Slopes are the same.
        slopes: (n,), written: by the weights.
        gradient: added to: (slower,) and (faster,), by logarithms of factors.

    Returns:
        Nats, the derivative by the logarithm of the tensor's factor, and that by the logarithm of
        the unit.
    """
    own, slower, faster, together = box
    costs, low, rate, floor = table
    by_slower, by_faster = gradient
    num_faster = faster.shape[0]
    places, by_place, risen = (
        faster * np.float32(rate),
        np.zeros_like(faster),
        np.zeros_like(faster),
    )
    rates = np.exp(np.minimum(-faster, np.float32(_MOST)))
    total = by_own = by_unit = 0.0
    single = np.float32(unit)
    for line in range(slower.shape[0]):
        base, start = np.float32((own + slower[line] - low) * rate), line * num_faster * together
        stop = start + num_faster * together
        some, their = weights[start:stop], slopes[start:stop]
        inverse = math.exp(min(-own - slower[line], _MOST))
        if together > 1:
            nats, by_line, moved = _sum_shared(
                some, single, base, places, costs, is_rounded, their, by_place
            )
            by_line *= rate
        elif fits_near(some, single, inverse * rates.min(), floor):
            nats, by_line, moved = sum_near(
                some, single, inverse, rates, floor, is_rounded, their, risen
            )
        else:
            nats, by_line, moved = _sum_single(
                some, single, base, places, costs, is_rounded, their, by_place
            )
            by_line *= rate
        total += nats
        by_own += by_line
        by_unit += moved
        by_slower[line] += by_line
    by_faster += risen + by_place * np.float32(rate)
    return total, by_own, by_unit


@compiled(error_model="numpy", fastmath=_FAST)
def _sum_single(
    weights: Singles,
    unit: Number,
    base: Number,
    places: Singles,
    costs: Singles,
    is_rounded: bool,
    slopes: Singles,
    risen: Singles,
) -> tuple[float, float, float]:
    """Sum a line of weights each of which has a scale of its own: nats, by places and by unit."""
    nats = by_line = moved = np.float32(0)
    for number in range(weights.shape[0]):
        curve, value = _curve(base + places[number], costs), weights[number] * unit
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
    places: Singles,
    costs: Singles,
    is_rounded: bool,
    slopes: Singles,
    risen: Singles,
) -> tuple[float, float, float]:
    """Sum a line of weights some of which share a scale: nats, by places and by unit."""
    total = by_line = by_unit = 0.0
    together = weights.shape[0] // places.shape[0]
    for pair in range(places.shape[0]):
        curve = _curve(base + places[pair], costs)
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
def _curve(place: Number, costs: Singles) -> Curve:
    """Read the table at a place, in entries from the first; below it nothing changes any more."""
    within = min(max(place, np.float32(0)), np.float32(costs.shape[1] - 1.01))
    entry = np.int32(within)
    share = within - np.float32(entry)
    zero_rise = costs[0, entry + 1] - costs[0, entry]
    first_rise = costs[1, entry + 1] - costs[1, entry]
    inverse_rise = costs[2, entry + 1] - costs[2, entry]
    return (
        costs[0, entry] + share * zero_rise,
        costs[1, entry] + share * first_rise,
        costs[2, entry] + share * inverse_rise,
        zero_rise if place > 0 else np.float32(0),
        first_rise if place > 0 else np.float32(0),
        inverse_rise if place > 0 else np.float32(0),
    )


@compiled(error_model="numpy", fastmath=_FAST, inline="always")
def _cost(value: Number, curve: Curve, is_rounded: bool) -> tuple[Number, Number, Number]:
    """Find what a weight costs, its slope by the value and its rise by the place."""
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
