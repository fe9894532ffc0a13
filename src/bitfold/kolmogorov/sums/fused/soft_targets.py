"""Sharing weights among their near bins in the fused sum: soft and linear targets, and escapes.

In all functions ``m`` is the scratch memory and ``p`` its map. Importing this module imports Numba.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.kolmogorov.sums.fused.scratch_map import BATCH, ScratchMap
from bitfold.runtime.inlining import inlined
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


@inlined
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


@inlined
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


@inlined
def sinks_of(
    m: Floats, p: ScratchMap, row: int, places: tuple[float, float]
) -> tuple[int, int, np.float32, np.float32]:
    """Return the rows that shares are added to, with factors, for the weight in ``row`` of a tile.

    Shares times minus the mass turn the exponentials into the gradient by the logits, (softmax -
    share) times the mass. In a stretch the exponentials go on to the next tile, so shares go to the
    gradients of its ends.

    Args:
        m: the scratch memory.
        p: its map.
        row: of the tile.
        places: of the tile's first weight in its stretch, from 0 to 1, and the distance of two;
            the distance is 0 if there is no stretch.

    Returns:
        Offsets of both rows, -1 for none; and their factors.
    """
    if places[1] == 0:
        return p.exponentials + row * p.pitch, -1, -m[p.masses + row], np.float32(0)
    place = np.float32(places[0] + row * places[1])
    return p.ends, p.ends + p.pitch, place - np.float32(1), -place


@inlined
def share_linear(
    m: Floats, p: ScratchMap, r: int, row: int, sinks: tuple[int, int, np.float32, np.float32]
) -> tuple[np.float32, np.float32]:
    """Share weight ``r`` of a batch, in ``row`` of its tile, between its two nearest bins.

    Args:
        m: the scratch memory.
        p: its map.
        r: the weight.
        row: of its tile.
        sinks: see `sinks_of`.

    Returns:
        Sum of share * logit, in powers of two, and its derivative by the index.
    """
    floor = int(m[p.floors + r])
    at = row * p.pitch + floor
    right = m[p.fractions + r]
    left = np.float32(1) - right
    _add_share(m, floor, left, sinks)
    _add_share(m, floor + 1, right, sinks)
    z0, z1 = m[p.logits + at], m[p.logits + at + 1]
    return left * z0 + right * z1, z1 - z0


@inlined
def _add_share(
    m: Floats, j: int, share: np.float32, sinks: tuple[int, int, np.float32, np.float32]
) -> None:
    """Add a share of bin ``j`` to the rows of `sinks_of`."""
    m[sinks[0] + j] += share * sinks[2]
    if sinks[1] >= 0:
        m[sinks[1] + j] += share * sinks[3]


@inlined
def share_soft(
    m: Floats, p: ScratchMap, r: int, row: int, sinks: tuple[int, int, np.float32, np.float32]
) -> tuple[np.float32, np.float32]:
    """Share weight ``r`` of a batch, in ``row`` of its tile, by a softmax of distances.

    Let f be the weight's fraction and q = exp(-1/T). The bins k = 0, 1, ... to the left have shares
    proportional to q^(f + k), and those to the right shares proportional to q^(1 - f + k). Both are
    divided by the larger of q^f and q^(1 - f), so that they start with 1 or exp(-abs(1 - 2 f) / T),
    and no share that counts underflows.

    Args:
        m: the scratch memory.
        p: its map.
        r: the weight.
        row: of its tile.
        sinks: see `sinks_of`.

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
        _add_share(m, floor, centre, sinks)
        left *= m[p.rises + p.num_near + 1]
        left_share = left * m[p.sums + num_left - 1]
        falls += 1
    tables = (falls, rises, row * p.pitch + first)
    below, above = _share_near_bins(m, p, first, tables, (left, right), sinks)
    two = np.float32(2)
    # The derivative of a share is the share times its pull (-1/T on the left, 0 at the centre, 1/T
    # on the right) minus the mean pull, (right_share - left_share) / T. All shares add up to 1,
    # which gives the differences below, without cancellation.
    slope = (two * left_share + centre) * above
    slope -= (two * right_share + centre) * below
    slope += (left_share - right_share) * level
    return below + above + level, slope * np.float32(p.rate)


@inlined
def _share_near_bins(  # noqa: PLR0917 - tuples of other types would be counted one by one
    m: Floats,
    p: ScratchMap,
    first: int,
    offsets: tuple[int, int, int],
    scales: tuple[np.float32, np.float32],
    sinks: tuple[int, int, np.float32, np.float32],
) -> tuple[np.float32, np.float32]:
    """Add the shares of near bins to their sinks; return share * logit left and right."""
    falls, rises, logits = offsets
    left, right = splat(scales[0]), splat(scales[1])
    factor, other = splat(sinks[2]), splat(sinks[3])
    below = splat(np.float32(0))
    above = below
    for k in range(0, p.num_near, LANES):
        logit = load(m, p.logits + logits + k)
        a = multiply(left, load(m, falls + k))
        b = multiply(multiply(right, load(m, p.inside + k)), load(m, rises + k))
        below, above = multiply_add(a, logit, below), multiply_add(b, logit, above)
        share = add(a, b)
        at = sinks[0] + first + k
        store(m, at, multiply_add(share, factor, load(m, at)))
        if sinks[1] >= 0:
            at = sinks[1] + first + k
            store(m, at, multiply_add(share, other, load(m, at)))
    return total(below), total(above)
