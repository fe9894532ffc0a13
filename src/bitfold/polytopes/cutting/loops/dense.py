"""The first layers of a dense network, cut in one compiled call. Importing this imports Numba.

A layer of a small network is cut within microseconds, less than a call from Python takes.
"""

from typing import Any

import numpy as np

from bitfold.polytopes.cutting.loops.arrays import Doubles, Faces, Ints, Longs
from bitfold.polytopes.cutting.loops.cut import cut_mesh
from bitfold.polytopes.cutting.loops.edges import extend_rows
from bitfold.runtime.borrowed_arrays import borrowed
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import embedded

_ROUNDING = 2.0**-53
# The most multiplications of a layer for which OpenBLAS starts no threads. Its threads would go on
# spinning while faces are cut, on the cores that cut them.
_MOST_PRODUCTS = 2**18
# Room for coincident folds; they end the loop, so that one suffices to notice them.
_NUM_SPARE = 64


@compiled
def cut_dense_layers(
    weights: Doubles,
    layers: Longs,
    slopes: Doubles,
    points: Doubles,
    inputs: Doubles,
    bounds: Doubles,
    edges: Ints,
    owners: Ints,
    faces: Faces,
    limits: tuple[int, int, int],
) -> Any:
    """Cut a mesh along the folds of dense layers, as long as no folds coincide.

    It stops before a layer whose folds coincide with others, that makes too many polytopes, or that
    takes many multiplications; and after a layer that makes enough polytopes for several threads.
    Bounds of rounding are those of `bounds.Bounds`.

    Args:
        weights: of all layers, float64.
        layers: (layers, 4): where a layer's weights (outputs, inputs) and its biases begin among
            the weights (-1 for no biases), its number of inputs, and its number of outputs.
        slopes: (layers, 2), of each layer's activation, below 0 and above.
        points: (vertices, 2).
        inputs: (vertices, features).
        bounds: (2, features), sizes and errors of the inputs.
        edges: (edges, 2).
        owners: (edges,).
        faces: see `Faces`.
        limits: the number of polytopes after which to stop; the largest number of polytopes; the
            layer after which no values are needed, -1 for none. The values of a wide last layer
            would take most of the memory.

    Returns:
        The number of layers that were cut; points, edges, owners and faces; values after the last
        of these layers (vertices, neurons), and their sizes and errors (2, neurons); the number of
        abandoned folds.
    """
    values, first_neuron, given_up, done = inputs, 0, 0, 0
    for layer in range(len(layers)):
        outputs = layers[layer, 3]
        if len(values) * layers[layer, 2] * outputs > _MOST_PRODUCTS:
            break
        flat, sums = _apply_layer(weights, layers[layer], values, bounds)
        made = cut_mesh(flat, sums[1], edges, owners, faces, first_neuron, _NUM_SPARE, limits[1])
        is_plain = made.num_further == 0 and made.num_touching == 0 and made.is_broken_off == 0
        if not is_plain or len(made.faces[0]) - 1 > limits[1]:
            break
        edges, owners, faces = made.edges, made.owners, made.faces
        points = _extended(points, made.ends, made.along)
        values = flat[:0] if layer == limits[2] else _extended(flat, made.ends, made.along)
        bounds = _bend(values, sums, slopes[layer])
        first_neuron, given_up = first_neuron + outputs, given_up + made.num_given_up
        done = layer + 1
        if len(faces[0]) > limits[0]:
            break
    return done, points, edges, owners, faces, values, bounds, given_up


@embedded
def _apply_layer(
    weights: Doubles, layer: Longs, values: Doubles, bounds: Doubles
) -> tuple[Doubles, Doubles]:
    """Return pre-activations (vertices, neurons), and their sizes and errors (2, neurons)."""
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
        for neuron in range(outputs):
            after[0, neuron] += abs(biases[neuron])
    for neuron in range(outputs):
        after[1, neuron] += (inputs + 4) * _ROUNDING * after[0, neuron]
    return flat, after


@embedded
def _extended(rows: Doubles, ends: Ints, along: Doubles) -> Doubles:
    """Return the rows, and behind them those of new vertices."""
    whole, known = np.empty((len(rows) + len(along), rows.shape[1])), rows.size
    into, rows = borrowed(whole.reshape(-1)), borrowed(rows.reshape(-1))
    for k in range(known):
        into[k] = rows[k]
    extend_rows(whole, ends, along, len(whole) - len(along))
    return whole


@embedded
def _bend(values: Doubles, bounds: Doubles, slopes: Doubles) -> Doubles:
    """Apply an activation to values, in place; return their sizes and errors."""
    below, above = slopes[0], slopes[1]
    flat = borrowed(values.reshape(-1))
    for k in range(len(flat)):
        flat[k] = flat[k] * (above if flat[k] > 0 else below)
    steepest, after = max(abs(below), abs(above)), np.empty_like(bounds)
    for neuron in range(bounds.shape[1]):
        after[0, neuron] = bounds[0, neuron] * steepest
        after[1, neuron] = bounds[1, neuron] * steepest + 8 * _ROUNDING * after[0, neuron]
    return after
