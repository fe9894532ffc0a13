"""The first layers of a dense network, cut in one compiled call. Importing it imports Numba.

A small network takes microseconds a layer, less than it takes to call from layer to layer.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.cutting.cut import cut
from bitfold.polytopes.cutting.cut_edges import Doubles, Ints, extend_rows
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled

_ROUNDING = 2.0**-53
# Multiplications of a layer up to which OpenBLAS starts no threads: they would go on spinning while
# faces are cut, on the cores that those need.
_MOST_PRODUCTS = 2**18


@compiled
def cut_dense_layers(
    weights: Doubles,
    layers: NDArray[np.int64],
    slopes: Doubles,
    points: Doubles,
    inputs: Doubles,
    bounds: Doubles,
    edges: Ints,
    owners: Ints,
    faces: tuple[Ints, Ints],
    limits: tuple[int, int, int],
) -> Any:
    """Cut along the folds of dense layers, as long as there is nothing but plain folds.

    It stops before a layer whose folds coincide with others, that makes too many polytopes or takes
    many multiplications, and after one that makes so many that threads are worth their while.

    Source: none, ours; bounds of rounding as `bounds.Bounds` has them.

    Args:
        weights: of all layers, float64.
        layers: (layers, 4): where a layer's weights (outputs, inputs) and biases begin among the
            weights, its inputs and its outputs; no biases: -1.
        slopes: (layers, 2), of what bends each, below 0 and above.
        points: (vertices, 2).
        inputs: (vertices, features).
        bounds: (2, features), their sizes and errors.
        edges: (edges, 2).
        owners: (edges,).
        faces: see `cut_faces.Faces`.
        limits: polytopes at which to stop, how many there may be, and the layer after which no
            values are needed: those of a wide one take most of the memory; -1 for none.

    Returns:
        How many layers were cut; points, edges, owners and faces; values after the last of these
        layers (vertices, neurons), and their sizes and errors (2, neurons); how many folds were
        given up.
    """
    values, first_neuron, given_up, done = inputs, 0, 0, 0
    for layer in range(len(layers)):
        outputs = layers[layer, 3]
        if len(values) * layers[layer, 2] * outputs > _MOST_PRODUCTS:
            break
        flat, before = _affine(weights, layers[layer], values, bounds)
        made = cut(flat, before[1], edges, owners, faces, first_neuron, 64, limits[1])
        counts = made[8]
        is_plain = counts[0] == 0 and counts[1] == 0 and counts[4] == 0
        if not is_plain or len(made[4][0]) - 1 > limits[1]:
            break
        ends, along, edges, owners, faces = made[0], made[1], made[2], made[3], made[4]
        points = _extended(points, ends, along)
        values = flat[:0] if layer == limits[2] else _extended(flat, ends, along)
        bounds = _bend(values, before, slopes[layer])
        first_neuron, given_up, done = first_neuron + outputs, given_up + counts[2], layer + 1
        if len(faces[0]) > limits[0]:
            break
    return done, points, edges, owners, faces, values, bounds, given_up


@compiled
def _affine(
    weights: Doubles, layer: NDArray[np.int64], values: Doubles, bounds: Doubles
) -> tuple[Doubles, Doubles]:
    """A layer's pre-activations (vertices, neurons), and their sizes and errors (2, neurons)."""
    inputs, outputs = layer[2], layer[3]
    matrix = weights[layer[0] : layer[0] + inputs * outputs].reshape(outputs, inputs)
    flat, after = np.dot(values, matrix.T), np.zeros((2, outputs))
    for neuron in range(outputs):
        for k in range(inputs):
            after[0, neuron] += abs(matrix[neuron, k]) * bounds[0, k]
            after[1, neuron] += abs(matrix[neuron, k]) * bounds[1, k]
    if layer[1] >= 0:
        biases = borrowed(weights)[layer[1] : layer[1] + outputs]
        rows = borrowed(flat)
        for vertex in range(len(values)):
            for neuron in range(outputs):
                rows[vertex, neuron] += biases[neuron]
        after[0] += np.abs(biases)
    after[1] += (inputs + 4) * _ROUNDING * after[0]
    return flat, after


@compiled
def _extended(rows: Doubles, ends: Ints, along: Doubles) -> Doubles:
    """Rows and those of new vertices behind them."""
    whole, known = np.empty((len(rows) + len(along), rows.shape[1])), rows.size
    into, rows = borrowed(whole.reshape(-1)), borrowed(rows.reshape(-1))
    for k in range(known):
        into[k] = rows[k]
    extend_rows(whole, ends, along, len(whole) - len(along))
    return whole


@compiled
def _bend(values: Doubles, bounds: Doubles, slopes: Doubles) -> Doubles:
    """Bend values, in place; return their sizes and errors."""
    below, above = slopes
    flat = borrowed(values.reshape(-1))
    for k in range(len(flat)):
        flat[k] = flat[k] * (above if flat[k] > 0 else below)
    after: Doubles = bounds * max(abs(below), abs(above))
    after[1] += 8 * _ROUNDING * after[0]
    return after
