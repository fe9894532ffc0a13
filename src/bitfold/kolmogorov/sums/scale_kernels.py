"""Compiled loops over weights whose scale is a product of factors. Importing this imports Numba.

A scale belongs to a pair of output and input, and all offsets of a kernel share it. Costs are
computed in float64, in units of bins. Numba counts references to each array that a function is
given, with an atomic operation; functions that are called for each weight take only numbers.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Weights = NDArray[Any]
"""float32 or float64."""

Grid = tuple[float, float, float, float, float]
"""Minimum, maximum, width of a bin, the largest number of the weights' type, and the last bin."""

Scale = tuple[float, float, float, float]
"""Location; 1 / scale; minus the logarithm of 1 - exp(-1 / scale), and its slope by the scale."""

Neighbours = tuple[float, float, float, float, float]
"""The bin below a weight; the weight's share in the bin above; the factor from a slope by the index
to one by the value; the cost of an escape, and its slope by the value."""

Bin = tuple[float, float, float]
"""The cost of a bin, and its derivatives by location and scale."""

Cost = tuple[float, float, float, float]
"""A cost, and its derivatives by location, by scale and by the value."""

_LN2 = math.log(2)
# If a weight lies this far from the location, both of its bins lie on the weight's side of it.
_CLEAR = 1.5
# For larger x, 1 - exp(-x) loses less than four of float64's sixteen digits.
_NOT_TINY = 1e-3


@compiled(error_model="numpy")
def sum_stretch(
    weights: tuple[Weights, Weights, Weights, Weights],
    stretch: tuple[int, int, int],
    boxes: Ints,
    model: tuple[Floats, Floats, float, bool],
    gradient: Floats,
) -> float:
    """Sum the cost of a stretch of weights under a Laplace or logistic, with its gradients.

    A weight is shared between its two nearest bins in proportion. A weight that lies d bins out of
    range costs as much as at the edge plus 2 ln(1 + d) nats. For the masses of bins see `log_mass`,
    for escapes `confine`.

    Args:
        weights: values (n,) in the units of the bins; noisy indices (n,), or (0,) without noise;
            gradient by the values (n,), written, or (0,) if it is not wanted; the grid (5,), see
            `Grid`. All of one type.
        stretch: first weight, end, and the weight that the values begin with, in flat order.
        boxes: (tensors, 8), see `scale_sums.scale_table`.
        model: locations (tensors,) in bins from the first bin; factors of scales, beginning with
            the tensors'; the floor of scales; whether the distribution is logistic.
        gradient: (tensors + factors,), added to: by locations, then by logarithms of factors.

    Returns:
        Nats.
    """
    locations, factors, floor, is_logistic = model
    num_boxes = boxes.shape[0]
    by_factors = gradient[num_boxes:]
    total = 0.0
    for number in range(num_boxes):
        box = boxes[number]
        first, end = max(stretch[0] - box[0], 0), min(stretch[1] - box[0], box[1])
        if first < end:
            part = (first, end, box[0] - stretch[2])
            spread = (locations[number], factors[number], floor, is_logistic)
            nats, by_location, by_factor = _sum_box(
                weights, part, box, spread, (factors, by_factors)
            )
            total += nats
            gradient[number] += by_location
            by_factors[number] += by_factor
    return total


@compiled(error_model="numpy")
def _sum_box(
    weights: tuple[Weights, Weights, Weights, Weights],
    part: tuple[int, int, int],
    box: Ints,
    spread: tuple[float, float, float, bool],
    all_factors: tuple[Floats, Floats],
) -> tuple[float, float, float]:
    """Sum the weights of one tensor; return nats, and derivatives by location and its factor."""
    values, indices, slopes = borrowed(weights[0]), borrowed(weights[1]), borrowed(weights[2])
    limits = weights[3]
    grid = (limits[0], limits[1], limits[2], limits[3], limits[4])
    first, end, at = part
    location, own_factor, floor, is_logistic = spread
    factors, by_factors = all_factors
    row, pair = divmod(first // box[3], box[2])
    total = by_location = by_own = 0.0
    while first < end:
        stop = min((row * box[2] + pair + 1) * box[3], end)
        in_row, in_pair = box[4] + row * box[5], box[6] + pair * box[7]
        factor = own_factor * factors[in_row] * factors[in_pair]
        scale = _scale_of(location, 1 / (factor + floor))
        nats, by_location, by_scale = _sum_pair(
            values, indices, slopes, (at + first, at + stop), grid, scale, is_logistic, by_location
        )
        total += nats
        by_own += by_scale * factor
        by_factors[in_row] += by_scale * factor
        by_factors[in_pair] += by_scale * factor
        row, pair, first = (row, pair + 1, stop) if pair + 1 < box[2] else (row + 1, 0, stop)
    return total, by_location, by_own


@compiled(error_model="numpy", inline="always")
def _sum_pair(  # noqa: PLR0917 - arrays in a tuple would be counted
    values: Weights,
    indices: Weights,
    slopes: Weights,
    part: tuple[int, int],
    grid: Grid,
    scale: Scale,
    is_logistic: bool,
    by_location: float,
) -> tuple[float, float, float]:
    """Sum weights that share one scale; return nats, and derivatives by location and scale.

    ``by_location`` is the derivative so far. Inlined, since a call for each pair takes a quarter
    longer where every weight is a pair.
    """
    location, inverse, width, width_slope = scale
    gate = 1 / float(grid[2])
    is_noisy, has_slopes = indices.shape[0] > 0, slopes.shape[0] > 0
    # For a single weight this bin costs more time than all else, and often it is not needed.
    has_around = part[1] - part[0] > 1 or is_logistic
    around = _around(location, inverse) if has_around else (0.0, 0.0, 0.0)
    nats = by_scale = reach = sides = num_around = num_beside = 0.0
    for i in range(part[0], part[1]):
        index = indices[i] if is_noisy else (values[i] - grid[0]) / grid[2]
        is_plain = not is_logistic and 1 <= index < grid[4] - 1
        if not has_around and not (is_plain and abs(float(index) - location) >= _CLEAR):
            around, has_around = _around(location, inverse), True
        if is_plain:
            four = _between(index, scale, around)
            num_around += four[0]
            num_beside += 1 - four[0]
            reach += four[1]
            sides += four[2]
            slope = four[3] * gate
        else:
            neighbours = _find_neighbours(values[i], index, is_noisy, grid, gate)
            four = _cost(neighbours, grid[4], scale, around, is_logistic)
            nats += four[0]
            by_location += four[1]
            by_scale += four[2]
            slope = four[3]
        if has_slopes:
            slopes[i] = slope
    nats = nats + num_around * around[0] + num_beside * (width + _LN2) + reach * inverse
    by_location += num_around * around[1] - sides * inverse
    by_scale += num_around * around[2] + num_beside * width_slope - reach * inverse * inverse
    return nats, by_location, by_scale


@compiled(error_model="numpy")
def code_stretch(
    bins: Ints,
    stretch: tuple[int, int, int],
    boxes: Ints,
    model: tuple[Floats, Floats, float, bool],
    nats: Floats,
) -> None:
    """Write the cost of k given bins for each weight of a stretch; see `log_mass`.

    Args:
        bins: (k, n), 0 to the last bin.
        stretch: first weight, end, and number of the last bin.
        boxes: as for `sum_stretch`.
        model: as for `sum_stretch`.
        nats: (k, n), written.
    """
    locations, factors, floor, is_logistic = model
    start, stop, last = stretch
    for number in range(boxes.shape[0]):
        box, location = boxes[number], locations[number]
        first, end = max(start - box[0], 0), min(stop - box[0], box[1])
        for i in range(first, end):
            row, pair = divmod(i // box[3], box[2])
            in_row, in_pair = box[4] + row * box[5], box[6] + pair * box[7]
            if i == first or i % box[3] == 0:
                factor = factors[number] * factors[in_row] * factors[in_pair]
                scale = _scale_of(location, 1 / (factor + floor))
                around = _around(location, scale[1])
            at = box[0] + i - start
            for k in range(bins.shape[0]):
                if is_logistic:
                    nats[k, at] = _logistic_bin(bins[k, at], last, scale)
                else:
                    nats[k, at] = _laplace_bin(bins[k, at], last, scale, around)[0]


@compiled(error_model="numpy")
def _between(index: float, scale: Scale, around: Bin) -> tuple[float, float, float, float]:
    """Share a weight within the grid under a Laplace, without a branch that depends on its bin.

    Returns:
        The share in the bin that holds the location; over the other bin or bins, the sum of share
        times distance from the location to the nearer edge, and that of share times side (-1 or 1);
        the slope by the index.
    """
    location, inverse, width, _ = scale
    below = float(np.floor(index))
    share, left, right = float(index) - below, below - location, below + 1 - location
    left_low, right_low = abs(left) - 0.5, abs(right) - 0.5
    left_around, right_around = left_low < 0, right_low < 0
    left_cost = around[0] if left_around else width + _LN2 + left_low * inverse
    right_cost = around[0] if right_around else width + _LN2 + right_low * inverse
    left_share = 0.0 if left_around else 1 - share
    right_share = 0.0 if right_around else share
    reach = left_share * left_low + right_share * right_low
    sides = math.copysign(left_share, left) + math.copysign(right_share, right)
    return 1 - (left_share + right_share), reach, sides, right_cost - left_cost


@compiled(error_model="numpy")
def _cost(
    neighbours: Neighbours, last: float, scale: Scale, around: Bin, is_logistic: bool
) -> Cost:
    """Cost of any one weight under either distribution."""
    if is_logistic:
        return _logistic(neighbours, last, scale)
    return _laplace(neighbours, last, scale, around)


@compiled(error_model="numpy")
def _laplace(neighbours: Neighbours, last: float, scale: Scale, around: Bin) -> Cost:
    """Cost of any one weight under a Laplace."""
    below, share, gate, escape, pull = neighbours
    left = _laplace_bin(below, last, scale, around)
    right = _laplace_bin(below + 1, last, scale, around)
    slope = right[0] - left[0]
    return (
        left[0] + share * slope + escape,
        left[1] + share * (right[1] - left[1]),
        left[2] + share * (right[2] - left[2]),
        slope * gate + pull,
    )


@compiled(error_model="numpy")
def _laplace_bin(number: float, last: float, scale: Scale, around: Bin) -> Bin:
    """Cost of a bin under a Laplace."""
    location, inverse, width, width_slope = scale
    distance = number - location
    if number <= 0 or number >= last:
        return _laplace_tail(-distance if number <= 0 else distance, number <= 0, inverse)
    # Selected without branches, since no processor can predict a weight's bin.
    low = (abs(distance) - 0.5) * inverse
    holds = low < 0
    cost = around[0] if holds else width + _LN2 + low
    by_location = around[1] if holds else -math.copysign(inverse, distance)
    by_scale = around[2] if holds else width_slope - low * inverse
    return cost, by_location, by_scale


@compiled(error_model="numpy")
def _laplace_tail(distance: float, is_first: bool, inverse: float) -> Bin:
    """Cost of the first or last bin, whose centre is ``distance`` outwards from the location."""
    low, side = (distance - 0.5) * inverse, -1.0 if is_first else 1.0
    if low >= 0:
        return low + _LN2, -side * inverse, -low * inverse
    half = 0.5 * math.exp(low)
    rate = half / (1 - half) * inverse
    return -math.log1p(-half), -side * rate, -low * rate


@compiled(error_model="numpy")
def _around(location: float, inverse: float) -> Bin:
    """Cost of the bin that holds a Laplace's location, unless it is the first or the last bin."""
    distance = math.floor(location + 0.5) - location
    low = (abs(distance) - 0.5) * inverse
    high = low + inverse
    near, far = math.exp(low), math.exp(-high)
    if inverse > _NOT_TINY:
        mass = 1 - 0.5 * (near + far)
    else:
        mass = -0.5 * (math.expm1(low) + math.expm1(-high))
    rate = 0.5 * inverse / mass
    by_location = -math.copysign((near - far) * rate, distance)
    return -math.log(mass), by_location, (high * far - low * near) * rate


@compiled(error_model="numpy")
def _logistic(neighbours: Neighbours, last: float, scale: Scale) -> Cost:
    """Cost of any one weight under a logistic."""
    below, share, gate, escape, pull = neighbours
    location, inverse, width, width_slope = scale
    # The edge between the two bins, relative to the location; the outer edges, if any, follow.
    edge = (below + 0.5 - location) * inverse
    nats, rate = _softplus(edge)
    left, left_by_edge, left_by_scale = nats - edge, rate - 1, (1 - rate) * edge * inverse
    right, right_by_edge, right_by_scale = nats, rate, -rate * edge * inverse
    if below > 0:
        nats, rate = _softplus(edge - inverse)
        left += nats + width
        left_by_edge += rate
        left_by_scale += rate * (inverse - edge) * inverse + width_slope
    if below + 1 < last:
        nats, rate = _softplus(-edge - inverse)
        right += nats + width
        right_by_edge -= rate
        right_by_scale += rate * (inverse + edge) * inverse + width_slope
    return (
        left + share * (right - left) + escape,
        -(left_by_edge + share * (right_by_edge - left_by_edge)) * inverse,
        left_by_scale + share * (right_by_scale - left_by_scale),
        (right - left) * gate + pull,
    )


@compiled(error_model="numpy")
def _logistic_bin(number: float, last: float, scale: Scale) -> float:
    """Cost of a bin under a logistic."""
    location, inverse, width, _ = scale
    distance = number - location
    nats = width if 0 < number < last else 0.0
    if number > 0:
        nats += _softplus((distance - 0.5) * inverse)[0]
    if number < last:
        nats += _softplus((-distance - 0.5) * inverse)[0]
    return nats


@compiled(error_model="numpy")
def _find_neighbours(
    value: float, index: float, is_noisy: bool, grid: Grid, gate: float
) -> Neighbours:
    """Find the two bins of a weight, and the cost of its escape.

    Computes in the weights' own type until the bin is found, as the PyTorch way does, so that both
    take the same side of a kink.
    """
    minimum, maximum, width, largest, last = grid
    escape = pull = 0.0
    if not minimum <= value <= maximum:
        within = minimum if value < minimum else (maximum if value > maximum else value)
        size = float(min(abs((value - within) / width), largest))
        escape, pull = 2 * math.log1p(size), math.copysign(2 * gate / (1 + size), value - within)
        gate = 0.0
        if not is_noisy:
            index = (within - minimum) / width
    if is_noisy and not 0 < index < last:
        gate = 0.0  # the noise left the grid, and the index is clipped
    # NaN fails the comparison, so that it gets an existing bin and a share of NaN.
    below = min(float(math.floor(index)), float(last) - 1) if index >= 1 else 0.0
    return below, float(index) - below, gate, escape, pull


@compiled(error_model="numpy")
def _scale_of(location: float, inverse: float) -> Scale:
    """A scale with the terms that the costs of all bins share."""
    width, width_slope = _log_width(inverse)
    return location, inverse, width, width_slope


@compiled(error_model="numpy")
def _log_width(inverse: float) -> tuple[float, float]:
    """Minus the logarithm of 1 - exp(-1 / scale), and its derivative by the scale."""
    power = math.exp(-inverse)
    rest = 1 - power if inverse > _NOT_TINY else -math.expm1(-inverse)
    return -math.log(rest), inverse * inverse * power / rest


@compiled(error_model="numpy")
def _softplus(z: float) -> tuple[float, float]:
    """ln(1 + exp(z)) to within 1e-16, and its derivative."""
    power = math.exp(-abs(z))
    rate = 1 / (1 + power)
    return max(z, 0.0) + math.log(1 + power), rate if z >= 0 else power * rate
