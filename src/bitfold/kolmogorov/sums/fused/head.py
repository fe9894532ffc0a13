"""The predictor's last layer and its softmax over bins, for a tile of four weights at a time.

A tile's rows of bins stay in the first-level cache from logits to gradients. Logits are multiplied
by log2(e), so that exponentials are powers of two, which saves the reduction by multiples of ln 2.
In all functions ``m`` is the scratch memory and ``p`` its map. Importing this module imports Numba.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.kolmogorov.sums.fused.scratch_map import BATCH, PANEL, ScratchMap
from bitfold.runtime.inlining import inlined
from bitfold.runtime.vector_lanes import (
    LANES,
    add,
    largest,
    load,
    maximum,
    multiply,
    multiply_add,
    power_of_two,
    splat,
    store,
    total,
)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_LOG2_E = np.float32(1 / math.log(2))
# The logit of the padding of a row. It is finite, so that 0 times it is 0; its power is 2^-125.
_FAR_BELOW = np.float32(-1e38)
# Logits below 64 in size need no shift: 65,536 powers of up to 2^64 add up to 2^80, and gradients
# stay below hidden values times 2^64, while float32 reaches 2^128.
_SAFE_POWER = np.float32(64)


@inlined
def load_head(layers: Floats, m: Floats, p: ScratchMap) -> None:
    """Copy the last layer to scratch memory by columns, with the largest size in each column."""
    biases = layers.shape[0] - p.num_bins
    weights = biases - p.num_bins * p.num_hidden
    for j in range(p.num_bins):
        for h in range(p.num_hidden):
            value = layers[weights + j * p.num_hidden + h]
            m[p.columns + h * p.pitch + j] = value
            m[p.peaks + h] = max(m[p.peaks + h], abs(value))
        value = layers[biases + j]
        m[p.columns + p.num_hidden * p.pitch + j] = value
        m[p.peaks + p.num_hidden] = max(m[p.peaks + p.num_hidden], abs(value))
    last = p.columns + p.num_hidden * p.pitch
    m[last + p.num_bins : last + p.pitch] = _FAR_BELOW
    # The hidden value 1 that multiplies the biases.
    m[p.hidden + p.num_hidden * BATCH : p.hidden + (p.num_hidden + 1) * BATCH] = np.float32(1)


@inlined
def scale_hidden(m: Floats, p: ScratchMap) -> None:
    """Write a batch's hidden values times log2(e), and bounds of the logits' sizes."""
    scale = splat(_LOG2_E)
    minus_one = splat(np.float32(-1))
    for r in range(0, BATCH, LANES):
        bound = splat(np.float32(0))
        for h in range(p.num_hidden + 1):
            k = h * BATCH + r
            x = multiply(load(m, p.hidden + k), scale)
            store(m, p.scaled + k, x)
            bound = multiply_add(maximum(x, multiply(x, minus_one)), splat(m[p.peaks + h]), bound)
        store(m, p.bounds + r, bound)


@inlined
def _shift(m: Floats, p: ScratchMap, r: int) -> np.float32:
    """Return the shift of a weight's logits: 0 if that is safe, otherwise minus the largest."""
    if m[p.bounds + r] < _SAFE_POWER:
        return np.float32(0)
    most = splat(np.float32(-np.inf))
    for j in range(p.columns, p.columns + p.pitch, LANES):
        logit = splat(np.float32(0))
        for h in range(p.num_hidden + 1):
            x = splat(m[p.scaled + h * BATCH + r])
            logit = multiply_add(x, load(m, j + h * p.pitch), logit)
        most = maximum(logit, most)
    shift: np.float32 = -largest(most)
    return shift


@inlined
def exponentiate(m: Floats, p: ScratchMap, r: int) -> None:
    """Write logits, exponentials and their sums for the tile of weights from row ``r`` on.

    Where a tile reaches beyond the batch, the batch's last weight stands in for what is not there.
    """
    r1, r2, r3 = min(r + 1, BATCH - 1), min(r + 2, BATCH - 1), min(r + 3, BATCH - 1)
    s0, s1 = splat(_shift(m, p, r)), splat(_shift(m, p, r1))
    s2, s3 = splat(_shift(m, p, r2)), splat(_shift(m, p, r3))
    m0 = splat(np.float32(0))
    m1, m2, m3 = m0, m0, m0
    for j in range(0, p.pitch, PANEL):
        a0, a1, a2, a3 = s0, s1, s2, s3
        b0, b1, b2, b3 = s0, s1, s2, s3
        for h in range(p.num_hidden + 1):
            k = p.columns + h * p.pitch + j
            c, d = load(m, k), load(m, k + LANES)
            k = p.scaled + h * BATCH
            x0, x1, x2, x3 = splat(m[k + r]), splat(m[k + r1]), splat(m[k + r2]), splat(m[k + r3])
            a0, b0 = multiply_add(x0, c, a0), multiply_add(x0, d, b0)
            a1, b1 = multiply_add(x1, c, a1), multiply_add(x1, d, b1)
            a2, b2 = multiply_add(x2, c, a2), multiply_add(x2, d, b2)
            a3, b3 = multiply_add(x3, c, a3), multiply_add(x3, d, b3)
        m0 = add(m0, _exponentiate_pair(m, p, j, a0, b0))
        m1 = add(m1, _exponentiate_pair(m, p, j + p.pitch, a1, b1))
        m2 = add(m2, _exponentiate_pair(m, p, j + 2 * p.pitch, a2, b2))
        m3 = add(m3, _exponentiate_pair(m, p, j + 3 * p.pitch, a3, b3))
    k = p.masses
    m[k], m[k + 1], m[k + 2], m[k + 3] = total(m0), total(m1), total(m2), total(m3)


@inlined
def _exponentiate_pair(m: Floats, p: ScratchMap, j: int, a: Any, b: Any) -> Any:
    """Write two registers of logits and their exponentials; return the exponentials' sum."""
    store(m, p.logits + j, a)
    store(m, p.logits + j + LANES, b)
    a, b = power_of_two(a), power_of_two(b)
    store(m, p.exponentials + j, a)
    store(m, p.exponentials + j + LANES, b)
    return add(a, b)


@inlined
def add_head_gradients(m: Floats, p: ScratchMap, r: int, used: int) -> None:
    """Add a tile's gradient by the last layer, and write its gradient by the hidden values.

    The derivative by the logits is ``exponentials`` over ``masses``: see `share_soft`. Columns are
    taken in pairs, so that a row of exponentials is loaded once for two columns.
    """
    i0 = np.float32(1) / m[p.masses]
    i1 = np.float32(1) / m[p.masses + 1] if used > 1 else np.float32(0)
    i2 = np.float32(1) / m[p.masses + 2] if used > 2 else np.float32(0)
    i3 = np.float32(1) / m[p.masses + 3] if used > 3 else np.float32(0)
    for h in range(0, p.num_columns, 2):
        k = p.hidden + h * BATCH + r
        x0, x1 = splat(m[k] * i0), splat(m[k + 1] * i1)
        x2, x3 = splat(m[k + 2] * i2), splat(m[k + 3] * i3)
        k += BATCH
        y0, y1 = splat(m[k] * i0), splat(m[k + 1] * i1)
        y2, y3 = splat(m[k + 2] * i2), splat(m[k + 3] * i3)
        p0 = splat(np.float32(0))
        p1, p2, p3, q0, q1, q2, q3 = p0, p0, p0, p0, p0, p0, p0
        for j in range(0, p.pitch, LANES):
            k = p.exponentials + j
            e0, e1 = load(m, k), load(m, k + p.pitch)
            e2, e3 = load(m, k + 2 * p.pitch), load(m, k + 3 * p.pitch)
            k = h * p.pitch + j
            u, v = load(m, p.grad_columns + k), load(m, p.grad_columns + k + p.pitch)
            u, v = multiply_add(x0, e0, u), multiply_add(y0, e0, v)
            u, v = multiply_add(x1, e1, u), multiply_add(y1, e1, v)
            u, v = multiply_add(x2, e2, u), multiply_add(y2, e2, v)
            u, v = multiply_add(x3, e3, u), multiply_add(y3, e3, v)
            store(m, p.grad_columns + k, u)
            store(m, p.grad_columns + k + p.pitch, v)
            c, d = load(m, p.columns + k), load(m, p.columns + k + p.pitch)
            p0, q0 = multiply_add(e0, c, p0), multiply_add(e0, d, q0)
            p1, q1 = multiply_add(e1, c, p1), multiply_add(e1, d, q1)
            p2, q2 = multiply_add(e2, c, p2), multiply_add(e2, d, q2)
            p3, q3 = multiply_add(e3, c, p3), multiply_add(e3, d, q3)
        k = p.grad_hidden + h * BATCH + r
        _store_used(m, k, used, (total(p0) * i0, total(p1) * i1, total(p2) * i2, total(p3) * i3))
        k += BATCH
        _store_used(m, k, used, (total(q0) * i0, total(q1) * i1, total(q2) * i2, total(q3) * i3))


@inlined
def _store_used(
    m: Floats, k: int, used: int, values: tuple[np.float32, np.float32, np.float32, np.float32]
) -> None:
    """Write the values of a tile's weights: what follows the last one belongs to other weights."""
    for row in range(used):
        m[k + row] = values[row]


@inlined
def flush_gradients(m: Floats, p: ScratchMap, grad_layers: Doubles) -> None:
    """Add the gradients summed in float32 to those in float64, and reset them to 0."""
    biases = grad_layers.shape[0] - p.num_bins
    trunk = biases - p.num_bins * p.num_hidden
    for k in range(trunk):
        grad_layers[k] += m[p.grad_trunk + k]
    last = p.grad_columns + p.num_hidden * p.pitch
    for j in range(p.num_bins):
        for h in range(p.num_hidden):
            grad_layers[trunk + j * p.num_hidden + h] += m[p.grad_columns + h * p.pitch + j]
        grad_layers[biases + j] += m[last + j]
    m[p.grad_columns : p.grad_columns + p.num_columns * p.pitch] = np.float32(0)
    m[p.grad_trunk : p.grad_trunk + trunk] = np.float32(0)
