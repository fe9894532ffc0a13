"""Compiled loops of the fused sum: predictor, softmax, targets and all gradients, in one pass.

Weights go through in blocks, from their positions to the gradient of the predictor's first layer,
before the next block begins; nothing of size weights by anything is held. Importing this module
imports Numba.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.kolmogorov.sums.fused.head import exponentiate, flush, load_head, scale_hidden, spread
from bitfold.kolmogorov.sums.fused.plan import BLOCK, TILE, Plan, allocate, make_plan
from bitfold.kolmogorov.sums.fused.soft_targets import load_window, place, share_linear, share_soft
from bitfold.kolmogorov.sums.fused.trunk import backward, forward
from bitfold.runtime.compiling import compiled

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

# Weights whose gradients are added up in float32 before float64 takes over.
_CHUNK = 64 * BLOCK
_LN_2 = math.log(2)


@compiled
def sum_rows(
    weights: tuple[Floats, Floats],
    predictor: tuple[Floats, Ints],
    targets: tuple[float, int],
    rows: tuple[int, int],
    gradients: tuple[Floats, Doubles],
) -> float:
    """Sum the cost of some of the weights, and work out its gradients.

    Source: none, ours.

    Args:
        weights: continuous bin indices (N,), of any size, and positions (N, C).
        predictor: its layers, one after the other, each its weights and then its biases; and C, the
            hidden layers' widths and the number of bins.
        targets: 1 / T of soft targets, and the bins on each side of a weight in its window; 0 and 1
            for linear targets.
        rows: the first weight and the one after the last.
        gradients: by the index (N,), written for these weights; and like the layers, added to, or
            empty if it is not wanted.

    Returns:
        Nats.
    """
    index, positions = weights
    layers, widths = predictor
    grad_index, grad_layers = gradients
    with_gradients = grad_layers.shape[0] > 0
    p = make_plan(widths, targets[0], targets[1])
    m = allocate(p.size)
    load_head(layers, m, p)
    load_window(m, p)
    nats = 0.0
    for first in range(rows[0], rows[1], BLOCK):
        last = min(first + BLOCK, rows[1])
        _load_block(positions[first:last], m, p)
        forward(layers, widths, m, p)
        nats += _sum_block(index[first:last], grad_index[first:last], m, p, with_gradients)
        if with_gradients:
            backward(layers, widths, m, p)
            if (first + BLOCK - rows[0]) % _CHUNK == 0 or last == rows[1]:
                flush(m, p, grad_layers)
    return nats


@compiled
def bin_rows(bins: Ints, positions: Floats, predictor: tuple[Floats, Ints], nats: Floats) -> None:
    """Write the code length of one given bin for each weight, -ln of its softmax probability.

    Source: C. E. Shannon, 1948.

    Args:
        bins: (N,), 0 to the number of bins - 1.
        positions: (N, C).
        predictor: as in `sum_rows`.
        nats: (N,), written.
    """
    layers, widths = predictor
    p = make_plan(widths, 0.0, 1)
    m = allocate(p.size)
    load_head(layers, m, p)
    for first in range(0, bins.shape[0], BLOCK):
        last = min(first + BLOCK, bins.shape[0])
        _load_block(positions[first:last], m, p)
        forward(layers, widths, m, p)
        scale_hidden(m, p)
        for i in range(first, last):
            row = (i - first) % TILE
            if row == 0:
                exponentiate(m, p, i - first)
            logit = m[p.logits + row * p.pitch + bins[i]]
            nats[i] = math.log(m[p.masses + row]) - _LN_2 * logit


@compiled
def _load_block(positions: Floats, m: Floats, p: Plan) -> None:
    """Copy a block's positions, a coordinate in a row, zeros behind the last weight."""
    size = positions.shape[0]
    for c in range(positions.shape[1]):
        start = p.values + c * BLOCK
        for r in range(size):
            m[start + r] = positions[r, c]
        m[start + size : start + BLOCK] = np.float32(0)


@compiled
def _sum_block(
    index: Floats, grad_index: Floats, m: Floats, p: Plan, with_gradients: bool
) -> float:
    """Sum a block's cost; write its gradients by index and hidden values, add those by head."""
    size = index.shape[0]
    nats = place(index, m, p)
    scale_hidden(m, p)
    for start in range(0, size, TILE):
        exponentiate(m, p, start)
        used = min(TILE, size - start)
        # Four masses of at most 2^80 multiply in float64, so that one logarithm does for all.
        mass, logits = 1.0, 0.0
        for row in range(used):
            r = start + row
            mass *= float(m[p.masses + row])
            if p.rate == 0:
                logit, slope = share_linear(m, p, r, row)
            else:
                logit, slope = share_soft(m, p, r, row)
            logits += float(logit)
            grad_index[r] = m[p.escapes + r] - np.float32(_LN_2) * slope * m[p.gates + r]
        nats += math.log(mass) - _LN_2 * logits
        if with_gradients:
            spread(m, p, start, used)
    _clear_rest(m, p, size)
    return nats


@compiled
def _clear_rest(m: Floats, p: Plan, size: int) -> None:
    """Set the gradients by hidden values of no weight to zero."""
    for h in range(p.num_hidden):
        row = p.grad_hidden + h * BLOCK
        m[row + size : row + BLOCK] = np.float32(0)
