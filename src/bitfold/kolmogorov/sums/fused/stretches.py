"""Stretches of weights whose logits lie on a line: few exponentials for many weights.

A predictor with LeakyReLU is affine on each polytope of its input. Along a row of a weight matrix
one coordinate grows by equal steps, so between two kinks each bin's logit grows by equal steps too,
and its exponential by equal factors. From the exponentials of four weights, those of the next four
follow by one multiplication. Gradients are linear in the logits' gradients, so those of all weights
of a stretch may be gathered at its two ends.

An exponential is off by at most two and a half roundings for each of up to 11 factors, 2e-6 of
itself.

In all functions ``m`` is the scratch memory and ``p`` its map. Importing this module imports Numba.
"""

import numpy as np
from numpy.typing import NDArray

from bitfold.kolmogorov.sums.fused.scratch_map import BATCH, TILE, ScratchMap
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
    where_positive,
)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SHORTEST = 5
"""Weights of a stretch that is worth its start and its end."""

_LONGEST = 32
# Factors of exponentials are powers of two of up to twice the logits' bound, below 2^127.
_LARGEST_POWER = np.float32(60)
# Rounding moves a coordinate, of 0 to 1, by 2^-25, and a second difference by 4 times that.
_LARGEST_BEND = np.float32(2**-23)


@inlined
def find_bends(widths: Ints, m: Floats, p: ScratchMap) -> None:
    """Note for each weight of a batch what separates it from the weight before and from a line.

    Args:
        widths: of coordinates, hidden layers and bins.
        m: the scratch memory, which holds coordinates and hidden values.
        p: its map.
    """
    last = widths[0] * BATCH
    zero, one = splat(np.float32(0)), splat(np.float32(1))
    for r in range(0, BATCH, LANES):
        kinks = zero
        for k in range(last + r, p.hidden + p.num_hidden * BATCH + r, BATCH):
            side = where_positive(load(m, p.values + k), one, zero)
            before = where_positive(load(m, p.values + k - 1), one, zero)
            change = add(side, multiply(before, splat(np.float32(-1))))
            kinks = multiply_add(change, change, kinks)
        store(m, p.kinks + r, kinks)
    m[p.bends : p.bends + BATCH] = np.float32(0)
    for k in range(p.values, p.values + last, BATCH):
        for r in range(1, BATCH - 1):
            step = m[k + r] - m[k + r - 1]
            if abs(m[k + r + 1] - m[k + r] - step) > _LARGEST_BEND:
                m[p.bends + r] = np.float32(1)


@inlined
def stretch_end(m: Floats, p: ScratchMap, start: int, size: int) -> int:
    """Return the end of the stretch that begins with weight ``start`` of a batch of ``size``."""
    end = start
    while end < min(size, start + _LONGEST):
        if not m[p.bounds + end] < _LARGEST_POWER:
            break
        if end > start and m[p.kinks + end] != 0:
            break
        if end > start + 1 and m[p.bends + end - 1] != 0:
            break
        end += 1
    return end


@inlined
def begin_stretch(m: Floats, p: ScratchMap, start: int, end: int) -> None:
    """Write a stretch's first logits and steps, its first four exponentials, and their factors."""
    inverse = np.float32(1) / np.float32(end - 1 - start)
    for j in range(0, p.pitch, LANES):
        logit = splat(np.float32(0))
        step = logit
        for h in range(p.num_hidden + 1):
            k = p.scaled + h * BATCH
            x, y = m[k + start], m[k + end - 1]
            column = load(m, p.columns + h * p.pitch + j)
            logit = multiply_add(splat(x), column, logit)
            step = multiply_add(splat((y - x) * inverse), column, step)
        store(m, p.first_logits + j, logit)
        store(m, p.steps + j, step)
        power, factor = power_of_two(logit), power_of_two(step)
        store(m, p.factors + j, power_of_two(multiply(step, splat(np.float32(TILE)))))
        for row in range(TILE):
            store(m, p.exponentials + row * p.pitch + j, power)
            power = multiply(power, factor)
    m[p.ends : p.ends + 2 * p.pitch] = np.float32(0)


@inlined
def next_exponentials(m: Floats, p: ScratchMap, is_first: bool) -> None:
    """Bring the exponentials from one tile of a stretch to the next, and write their sums."""
    m0 = splat(np.float32(0))
    m1, m2, m3 = m0, m0, m0
    factor = splat(np.float32(1))
    for j in range(0, p.pitch, LANES):
        if not is_first:
            factor = load(m, p.factors + j)
        k = p.exponentials + j
        a, b = multiply(load(m, k), factor), multiply(load(m, k + p.pitch), factor)
        c = multiply(load(m, k + 2 * p.pitch), factor)
        d = multiply(load(m, k + 3 * p.pitch), factor)
        store(m, k, a)
        store(m, k + p.pitch, b)
        store(m, k + 2 * p.pitch, c)
        store(m, k + 3 * p.pitch, d)
        m0, m1, m2, m3 = add(m0, a), add(m1, b), add(m2, c), add(m3, d)
    k = p.masses
    m[k], m[k + 1], m[k + 2], m[k + 3] = total(m0), total(m1), total(m2), total(m3)


@inlined
def write_near_logits(m: Floats, p: ScratchMap, r: int, row: int, start: int) -> None:
    """Write the logits of the near bins of weight ``r`` in ``row`` of its tile."""
    first = min(max(int(m[p.floors + r]) - p.reach + 1, 0), p.num_bins - p.num_near)
    number = splat(np.float32(r - start))
    for j in range(first, first + p.num_near, LANES):
        logit = multiply_add(number, load(m, p.steps + j), load(m, p.first_logits + j))
        store(m, p.logits + row * p.pitch + j, logit)


@inlined
def gather_at_ends(m: Floats, p: ScratchMap, used: int, places: tuple[float, float]) -> None:
    """Add a tile's softmax to the gradients by the logits of a stretch's two ends.

    Args:
        m: the scratch memory.
        p: its map.
        used: weights of the tile. Exponentials of the rows after them may be infinite.
        places: of the tile's first weight in the stretch, from 0 to 1; and the distance of two.
    """
    if used == TILE:
        _gather_tile(m, p, places)
        return
    for row in range(used):
        inverse = np.float32(1) / m[p.masses + row]
        place = np.float32(places[0] + row * places[1])
        x, y = splat((np.float32(1) - place) * inverse), splat(place * inverse)
        for j in range(0, p.pitch, LANES):
            e = load(m, p.exponentials + row * p.pitch + j)
            k = p.ends + j
            store(m, k, multiply_add(x, e, load(m, k)))
            store(m, k + p.pitch, multiply_add(y, e, load(m, k + p.pitch)))


@inlined
def _gather_tile(m: Floats, p: ScratchMap, places: tuple[float, float]) -> None:
    one = np.float32(1)
    i0, i1 = one / m[p.masses], one / m[p.masses + 1]
    i2, i3 = one / m[p.masses + 2], one / m[p.masses + 3]
    t0, t1 = np.float32(places[0]), np.float32(places[0] + places[1])
    t2, t3 = np.float32(places[0] + 2 * places[1]), np.float32(places[0] + 3 * places[1])
    x0, x1, x2, x3 = (
        splat((one - t0) * i0),
        splat((one - t1) * i1),
        splat((one - t2) * i2),
        splat((one - t3) * i3),
    )
    y0, y1, y2, y3 = splat(t0 * i0), splat(t1 * i1), splat(t2 * i2), splat(t3 * i3)
    for j in range(0, p.pitch, LANES):
        k = p.exponentials + j
        a, b = load(m, k), load(m, k + p.pitch)
        c, d = load(m, k + 2 * p.pitch), load(m, k + 3 * p.pitch)
        k = p.ends + j
        u, v = load(m, k), load(m, k + p.pitch)
        u, v = multiply_add(x0, a, u), multiply_add(y0, a, v)
        u, v = multiply_add(x1, b, u), multiply_add(y1, b, v)
        u, v = multiply_add(x2, c, u), multiply_add(y2, c, v)
        store(m, k, multiply_add(x3, d, u))
        store(m, k + p.pitch, multiply_add(y3, d, v))


@inlined
def add_gathered(m: Floats, p: ScratchMap, start: int, end: int) -> None:
    """Add a stretch's gradient by the last layer, and write its ends' by the hidden values."""
    for h in range(p.num_hidden + 1):
        k = p.hidden + h * BATCH
        x, y = splat(m[k + start]), splat(m[k + end - 1])
        by_first = splat(np.float32(0))
        by_last = by_first
        for j in range(0, p.pitch, LANES):
            a, b = load(m, p.ends + j), load(m, p.ends + p.pitch + j)
            k = h * p.pitch + j
            column = load(m, p.columns + k)
            by_first = multiply_add(a, column, by_first)
            by_last = multiply_add(b, column, by_last)
            k += p.grad_columns
            store(m, k, multiply_add(y, b, multiply_add(x, a, load(m, k))))
        k = p.grad_hidden + h * BATCH
        m[k + start : k + end] = np.float32(0)
        m[k + start], m[k + end - 1] = total(by_first), total(by_last)
