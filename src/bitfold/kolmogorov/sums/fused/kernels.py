"""The outer loops of the fused sum: predictor, softmax, targets and all gradients in one pass.

A batch of weights goes through all steps, from positions to the gradient of the predictor's first
layer, before the next batch begins. In all functions ``m`` is the scratch memory and ``p`` its map.
Importing this module imports Numba.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.kolmogorov.sums.fused.head import (
    add_head_gradients,
    exponentiate,
    flush_gradients,
    load_head,
    scale_hidden,
)
from bitfold.kolmogorov.sums.fused.scratch_map import BATCH, TILE, ScratchMap, allocate, make_map
from bitfold.kolmogorov.sums.fused.soft_targets import (
    find_bins,
    load_near_bins,
    share_linear,
    share_soft,
    sinks_of,
)
from bitfold.kolmogorov.sums.fused.stretches import (
    SHORTEST,
    add_gathered,
    begin_stretch,
    find_bends,
    gather_at_ends,
    next_exponentials,
    stretch_end,
    write_near_logits,
)
from bitfold.kolmogorov.sums.fused.trunk import backward, forward
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

# Weights whose gradients are summed in float32 before the sum is added to float64.
_CHUNK = 64 * BATCH
_LN_2 = math.log(2)


@compiled
def sum_rows(  # noqa: PLR0917 - arrays in one tuple would be counted one by one
    weights: tuple[Floats, Floats],
    predictor: tuple[Floats, Ints],
    targets: tuple[float, int],
    rows: tuple[int, int],
    gradients: tuple[Floats, Doubles],
    m: Floats,
) -> float:
    """Sum the cost of a stretch of the weights, with its gradients.

    Args:
        weights: continuous bin indices (N,), of any size, and positions (N, C).
        predictor: its layers as one flat array, each layer's weights and then its biases; and the
            widths: C, those of the hidden layers, and the number of bins.
        targets: 1 / T of soft targets, and the number of near bins on each side of a weight; 0 and
            1 for linear targets.
        rows: the first weight, and the end.
        gradients: by the index (N,), written for these weights; and by the layers, flat, added to,
            or empty if gradients are not wanted.
        m: scratch memory, overwritten: as many numbers as `scratch_size` says, aligned to a line of
            the cache.

    Returns:
        Nats.
    """
    index, positions = borrowed(weights[0]), borrowed(weights[1])
    layers, widths = borrowed(predictor[0]), borrowed(predictor[1])
    grad_index, grad_layers = borrowed(gradients[0]), borrowed(gradients[1])
    m = borrowed(m)
    with_gradients = grad_layers.shape[0] > 0
    p = make_map(widths, targets[0], targets[1])
    m[:] = np.float32(0)
    load_head(layers, m, p)
    load_near_bins(m, p)
    nats = 0.0
    for first in range(rows[0], rows[1], BATCH):
        last = min(first + BATCH, rows[1])
        _load_batch(positions[first:last], m, p)
        forward(layers, widths, m, p)
        find_bends(widths, m, p)
        nats += _sum_batch(index[first:last], grad_index[first:last], m, p, with_gradients)
        if with_gradients:
            backward(layers, widths, m, p)
            if (first + BATCH - rows[0]) % _CHUNK == 0 or last == rows[1]:
                flush_gradients(m, p, grad_layers)
    return nats


@compiled
def scratch_size(widths: Ints, targets: tuple[float, int]) -> int:
    """Return how many float32 `sum_rows` needs besides its arguments."""
    return make_map(widths, targets[0], targets[1]).size


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
    p = make_map(widths, 0.0, 1)
    m = allocate(p.size)
    load_head(layers, m, p)
    for first in range(0, bins.shape[0], BATCH):
        last = min(first + BATCH, bins.shape[0])
        _load_batch(positions[first:last], m, p)
        forward(layers, widths, m, p)
        scale_hidden(m, p)
        for i in range(first, last):
            row = (i - first) % TILE
            if row == 0:
                exponentiate(m, p, i - first)
            logit = m[p.logits + row * p.pitch + bins[i]]
            nats[i] = math.log(m[p.masses + row]) - _LN_2 * logit


@inlined
def _load_batch(positions: Floats, m: Floats, p: ScratchMap) -> None:
    """Copy a batch's positions, one coordinate a row; zeros follow the last weight."""
    size = positions.shape[0]
    for c in range(positions.shape[1]):
        start = p.values + c * BATCH
        for r in range(size):
            m[start + r] = positions[r, c]
        m[start + size : start + BATCH] = np.float32(0)


@inlined
def _sum_batch(
    index: Floats, grad_index: Floats, m: Floats, p: ScratchMap, with_gradients: bool
) -> float:
    """Sum a batch's cost; write its gradients by index and hidden values; add those by the head."""
    size = index.shape[0]
    nats = find_bins(index, m, p)
    scale_hidden(m, p)
    start = 0
    while start < size:
        end = stretch_end(m, p, start, size)
        if end - start >= SHORTEST:
            nats += _sum_stretch(grad_index, m, p, (start, end), with_gradients)
        else:
            end = min(start + TILE, size)
            exponentiate(m, p, start)
            nats += _sum_tile(grad_index, m, p, (start, end), (0.0, 0.0))
            if with_gradients:
                add_head_gradients(m, p, start, end - start)
        start = end
    _clear_rest(m, p, size)
    return nats


@inlined
def _sum_stretch(
    grad_index: Floats, m: Floats, p: ScratchMap, rows: tuple[int, int], with_gradients: bool
) -> float:
    """Sum the cost of a stretch of a batch's weights, with the same gradients as `_sum_batch`."""
    first, end = rows
    begin_stretch(m, p, first, end)
    distance = 1 / (end - 1 - first)
    nats = 0.0
    for start in range(first, end, TILE):
        used = min(TILE, end - start)
        next_exponentials(m, p, start == first)
        for row in range(used):
            write_near_logits(m, p, start + row, row, first)
        places = ((start - first) * distance, distance)
        nats += _sum_tile(grad_index, m, p, (start, start + used), places)
        if with_gradients:
            gather_at_ends(m, p, used, places)
    if with_gradients:
        add_gathered(m, p, first, end)
    return nats


@inlined
def _sum_tile(
    grad_index: Floats,
    m: Floats,
    p: ScratchMap,
    rows: tuple[int, int],
    places: tuple[float, float],
) -> float:
    """Sum a tile's cost, write its gradients by index, and add shares to their `sinks_of`."""
    # The product of four masses of at most 2^80 fits float64, so one logarithm serves all four.
    mass, logits = 1.0, 0.0
    for row in range(rows[1] - rows[0]):
        r = rows[0] + row
        mass *= float(m[p.masses + row])
        sinks = sinks_of(m, p, row, places)
        if p.rate == 0:
            logit, slope = share_linear(m, p, r, row, sinks)
        else:
            logit, slope = share_soft(m, p, r, row, sinks)
        logits += float(logit)
        grad_index[r] = m[p.escapes + r] - np.float32(_LN_2) * slope * m[p.gates + r]
    return math.log(mass) - _LN_2 * logits


@inlined
def _clear_rest(m: Floats, p: ScratchMap, size: int) -> None:
    """Set the gradients by hidden values to zero behind the last weight."""
    for h in range(p.num_hidden):
        row = p.grad_hidden + h * BATCH
        m[row + size : row + BATCH] = np.float32(0)
