"""The hidden layers of a coordinate predictor, forward and backward, for a batch of weights.

Sixteen weights share a register, so that layers of any width keep all lanes busy. In all functions
``m`` is the scratch memory and ``p`` its map. Importing this module imports Numba.
"""

import numpy as np
from numpy.typing import NDArray

from bitfold.kolmogorov.sums.fused.scratch_map import BATCH, ScratchMap
from bitfold.runtime.inlining import inlined
from bitfold.runtime.vector_lanes import (
    LANES,
    add,
    load,
    maximum,
    multiply,
    multiply_add,
    splat,
    store,
    total,
    where_positive,
)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_SLOPE = np.float32(0.01)


@inlined
def forward(layers: Floats, widths: Ints, m: Floats, p: ScratchMap) -> None:
    """Compute all hidden values of a batch.

    Args:
        layers: the predictor's layers as one flat array, each layer's weights and then its biases.
        widths: of coordinates, hidden layers and bins.
        m: the scratch memory, which holds the coordinates.
        p: its map.
    """
    source, weights = p.values, 0
    slope = splat(_SLOPE)
    for level in range(widths.shape[0] - 2):
        fan_in, fan_out = widths[level], widths[level + 1]
        target = source + fan_in * BATCH
        biases = weights + fan_in * fan_out
        for o in range(fan_out):
            a0 = splat(layers[biases + o])
            a1, a2, a3 = a0, a0, a0
            for i in range(fan_in):
                w = splat(layers[weights + o * fan_in + i])
                k = source + i * BATCH
                a0 = multiply_add(w, load(m, k), a0)
                a1 = multiply_add(w, load(m, k + LANES), a1)
                a2 = multiply_add(w, load(m, k + 2 * LANES), a2)
                a3 = multiply_add(w, load(m, k + 3 * LANES), a3)
            k = target + o * BATCH
            store(m, k, maximum(a0, multiply(a0, slope)))
            store(m, k + LANES, maximum(a1, multiply(a1, slope)))
            store(m, k + 2 * LANES, maximum(a2, multiply(a2, slope)))
            store(m, k + 3 * LANES, maximum(a3, multiply(a3, slope)))
        source, weights = target, biases + fan_out


@inlined
def backward(layers: Floats, widths: Ints, m: Floats, p: ScratchMap) -> None:
    """Add a batch's gradient by the hidden layers.

    Args:
        layers: as in `forward`.
        widths: as in `forward`.
        m: the scratch memory, which holds all values and the gradients by the last hidden ones.
        p: its map.
    """
    depth = widths.shape[0] - 2
    target, weights = 0, 0
    for level in range(depth):
        target += widths[level] * BATCH
        weights += (widths[level] + 1) * widths[level + 1]
    for level in range(depth - 1, -1, -1):
        fan_in, fan_out = widths[level], widths[level + 1]
        source = target - fan_in * BATCH
        weights -= (fan_in + 1) * fan_out
        shape = (fan_in, fan_out)
        _rectify(shape, m, p.values + target, p.grads + target, p.grad_trunk + weights)
        _collect(shape, m, p.values + source, p.grads + target, p.grad_trunk + weights)
        if level > 0:
            _pull_back(shape, layers[weights:], m, p.grads + target, p.grads + source)
        target = source


@inlined
def _rectify(shape: tuple[int, int], m: Floats, values: int, grads: int, grad_layer: int) -> None:
    """Take gradients by a layer's values back through LeakyReLU, and add those by its biases."""
    fan_in, fan_out = shape
    slope = splat(_SLOPE)
    for o in range(fan_out):
        summed = splat(np.float32(0))
        for k in range(o * BATCH, (o + 1) * BATCH, LANES):
            g = load(m, grads + k)
            # LeakyReLU keeps the sign, so the value tells which side of 0 the sum was on.
            g = where_positive(load(m, values + k), g, multiply(g, slope))
            store(m, grads + k, g)
            summed = add(summed, g)
        m[grad_layer + fan_in * fan_out + o] += total(summed)


@inlined
def _collect(shape: tuple[int, int], m: Floats, values: int, grads: int, grad_layer: int) -> None:
    """Add a layer's gradient by its weights: gradients of outputs times values of inputs."""
    fan_in, fan_out = shape
    for o in range(fan_out):
        k = grads + o * BATCH
        g0, g1 = load(m, k), load(m, k + LANES)
        g2, g3 = load(m, k + 2 * LANES), load(m, k + 3 * LANES)
        for i in range(fan_in):
            k = values + i * BATCH
            a = multiply(g0, load(m, k))
            b = multiply(g1, load(m, k + LANES))
            a = multiply_add(g2, load(m, k + 2 * LANES), a)
            b = multiply_add(g3, load(m, k + 3 * LANES), b)
            m[grad_layer + o * fan_in + i] += total(add(a, b))


@inlined
def _pull_back(
    shape: tuple[int, int], layer: Floats, m: Floats, grads: int, grad_inputs: int
) -> None:
    """Write the gradient by a layer's inputs."""
    fan_in, fan_out = shape
    for i in range(fan_in):
        a0 = splat(np.float32(0))
        a1, a2, a3 = a0, a0, a0
        for o in range(fan_out):
            w = splat(layer[o * fan_in + i])
            k = grads + o * BATCH
            a0 = multiply_add(w, load(m, k), a0)
            a1 = multiply_add(w, load(m, k + LANES), a1)
            a2 = multiply_add(w, load(m, k + 2 * LANES), a2)
            a3 = multiply_add(w, load(m, k + 3 * LANES), a3)
        k = grad_inputs + i * BATCH
        store(m, k, a0)
        store(m, k + LANES, a1)
        store(m, k + 2 * LANES, a2)
        store(m, k + 3 * LANES, a3)
