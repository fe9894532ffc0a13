"""Sharing weights among their near bins in the fused sum: soft and linear targets, and escapes.

In all functions ``m`` is the scratch memory and ``p`` its map. Importing this module imports Numba.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.kolmogorov.sums.fused.scratch_map import BATCH, ScratchMap
from bitfold.runtime.compiling import compiled
from bitfold.runtime.vector_lanes import (
    LANES,
    add,
    load,
    multiply,
    multiply_add,
    power_of_two,
    splat,
    store,
    total,
)

Floats = NDArray[np.float32]

_LN_2 = math.log(2)


@compiled
def load_near_bins(m: Floats, p: ScratchMap) -> None:
    """Write the powers of exp(-1/T) that make up the shares of near bins."""
    ratio = math.exp(-p.rate)
    power, mass = 1.0, 0.0
    for k in range(p.num_near):
        m[p.falls + p.num_near - 1 - k] = power
        m[p.rises + p.num_near + k] = power
        m[p.inside + k] = np.float32(1)
        mass += power
        m[p.sums + k + 1] = mass
        power *= ratio


@compiled
def find_bins(index: Floats, m: Floats, p: ScratchMap) -> float:
    """Find the bins of a batch of weights; return the nats of those that leave the range.

    A weight that lies d bins beyond the range costs 2 ln(1 + d) nats: see `confine`.
    """
    last = np.float32(p.num_bins - 1)
    highest = p.num_bins - 2 if p.rate == 0 else p.num_bins - 1
    scale = np.float32(-p.rate / _LN_2)
    nats = 0.0
    for r in range(index.shape[0]):
        c = index[r]
        # A weight that is NaN must get a gradient of NaN, not of 0.
        m[p.gates + r] = c if math.isnan(c) else np.float32(1)
        m[p.escapes + r] = np.float32(0)
        if c > last or c < 0:
            edge = last if c > last else np.float32(0)
            overshoot = abs(float(c) - edge)
            slope = 2 / (1 + overshoot)
            m[p.gates + r], m[p.escapes + r] = np.float32(0), slope if c > last else -slope
            nats += 2 * math.log1p(overshoot)
            c = edge
        # NaN lies in no bin, but its shares, also NaN, must be written to some bin.
        floor = min(int(c) if c >= 0 else 0, highest)
        fraction = c - np.float32(floor)
        m[p.floors + r], m[p.fractions + r] = floor, fraction
        m[p.ratios + r] = abs(np.float32(1) - np.float32(2) * fraction) * scale
    if p.rate > 0:
        for k in range(p.ratios, p.ratios + BATCH, LANES):
            store(m, k, power_of_two(load(m, k)))
    return nats


@compiled
def share_linear(m: Floats, p: ScratchMap, r: int, row: int) -> tuple[np.float32, np.float32]:
    """Share weight ``r`` of a batch, in ``row`` of its tile, between its two nearest bins.

    Returns:
        Sum of share * logit, in powers of two, and its derivative by the index.
    """
    at = row * p.pitch + int(m[p.floors + r])
    mass = m[p.masses + row]
    right = m[p.fractions + r]
    left = np.float32(1) - right
    m[p.exponentials + at] -= left * mass
    m[p.exponentials + at + 1] -= right * mass
    z0, z1 = m[p.logits + at], m[p.logits + at + 1]
    return left * z0 + right * z1, z1 - z0


@compiled
def share_soft(m: Floats, p: ScratchMap, r: int, row: int) -> tuple[np.float32, np.float32]:
    """Share weight ``r`` of a batch, in ``row`` of its tile, by a softmax of distances.

    Let f be the weight's fraction and q = exp(-1/T). The bins k = 0, 1, ... to the left have shares
    proportional to q^(f + k), and those to the right shares proportional to q^(1 - f + k). Both are
    divided by the larger of q^f and q^(1 - f), so that they start with 1 or exp(-abs(1 - 2 f) / T),
    and no share that counts underflows. Subtracting shares times the mass turns the exponentials
    into the gradient by the logits, (softmax - share) times the mass.

    Returns:
        Sum of share * logit, in powers of two, and its derivative by the index.
    """
    zero, one = np.float32(0), np.float32(1)
    floor, fraction, ratio = int(m[p.floors + r]), m[p.fractions + r], m[p.ratios + r]
    first = min(max(floor - p.reach + 1, 0), p.num_bins - p.num_near)
    num_left = floor - first + 1
    # Offsets in both tables of the first near bin: `falls` ends and `rises` begins at the weight.
    falls = p.falls + p.num_near - num_left
    rises = p.rises + p.num_near - num_left
    right_sum = m[p.sums + p.num_near - num_left]
    left, right = (one, ratio) if fraction <= np.float32(0.5) else (ratio, one)
    inverse = one / (left * m[p.sums + num_left] + right * right_sum)
    left, right = left * inverse, right * inverse
    left_share, right_share = left * m[p.sums + num_left], right * right_sum
    centre, level = zero, zero
    if fraction == 0:
        # The weight lies on a bin, which then is neither to its left nor to its right.
        at = row * p.pitch + floor
        centre, level = left, left * m[p.logits + at]
        m[p.exponentials + at] -= centre * m[p.masses + row]
        left *= m[p.rises + p.num_near + 1]
        left_share = left * m[p.sums + num_left - 1]
        falls += 1
    scales = (left, right, -m[p.masses + row])
    below, above = _share_near_bins(m, p, row * p.pitch + first, (falls, rises), scales)
    two = np.float32(2)
    # The derivative of a share is the share times its pull (-1/T on the left, 0 at the centre, 1/T
    # on the right) minus the mean pull, (right_share - left_share) / T. All shares add up to 1,
    # which gives the differences below, without cancellation.
    slope = (two * left_share + centre) * above
    slope -= (two * right_share + centre) * below
    slope += (left_share - right_share) * level
    return below + above + level, slope * np.float32(p.rate)


@compiled
def _share_near_bins(
    m: Floats,
    p: ScratchMap,
    start: int,
    tables: tuple[int, int],
    scales: tuple[np.float32, np.float32, np.float32],
) -> tuple[np.float32, np.float32]:
    """Subtract the shares from a row's exponentials; return share * logit left and right."""
    falls, rises = tables
    left, right, minus_mass = splat(scales[0]), splat(scales[1]), splat(scales[2])
    below = splat(np.float32(0))
    above = below
    for k in range(0, p.num_near, LANES):
        at = start + k
        logits = load(m, p.logits + at)
        a = multiply(left, load(m, falls + k))
        b = multiply(multiply(right, load(m, p.inside + k)), load(m, rises + k))
        below, above = multiply_add(a, logits, below), multiply_add(b, logits, above)
        at += p.exponentials
        store(m, at, multiply_add(add(a, b), minus_mass, load(m, at)))
    return total(below), total(above)
