"""A slow, obvious reference: neuron by neuron and pixel by pixel, in float64."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from torch import nn

Pattern = tuple[bool, ...]


def evaluate(layers: nn.Sequential, point: Sequence[float]) -> tuple[list[float], Pattern, float]:
    """Evaluate a small network: values, signs and the smallest |pre-activation|."""
    values = [float(coordinate) for coordinate in point]
    signs: list[bool] = []
    margin = np.inf
    for layer in layers:
        if isinstance(layer, nn.Linear):
            weights, biases = layer.weight.tolist(), layer.bias.tolist()
            values = [
                bias + sum(w * x for w, x in zip(row, values, strict=True))
                for row, bias in zip(weights, biases, strict=True)
            ]
            continue
        signs += [value > 0 for value in values]
        margin = min([margin, *(abs(value) for value in values)])
        if isinstance(layer, nn.Tanh):
            values = [float(np.tanh(value)) for value in values]
        elif isinstance(layer, nn.ReLU | nn.LeakyReLU):
            slope = layer.negative_slope if isinstance(layer, nn.LeakyReLU) else 0.0
            values = [value if value > 0 else slope * value for value in values]
        else:
            raise NotImplementedError(layer)
    return values, tuple(signs), float(margin)


def partition(
    layers: nn.Sequential, xs: npt.NDArray[np.float64], ys: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.bool_], int, float]:
    """Find folds and the number of patterns by comparing tuples, and the smallest margin."""
    dx, dy = xs[1] - xs[0], ys[1] - ys[0]
    patterns: dict[tuple[int, int], Pattern] = {}
    margins = []
    for row in range(-1, len(ys) + 1):
        for column in range(-1, len(xs) + 1):
            point = np.array([xs[0] + column * dx, ys[0] + row * dy], np.float32)
            _, patterns[row, column], margin = evaluate(layers, point.tolist())
            margins.append(margin)
    folds = np.zeros((len(ys), len(xs)), np.bool_)
    for row in range(len(ys)):
        for column in range(len(xs)):
            neighbours = [(row, column + 1), (row + 1, column)]
            if column == 0:
                neighbours.append((row, -1))
            if row == 0:
                neighbours.append((-1, column))
            here = patterns[row, column]
            folds[row, column] = any(patterns[other] != here for other in neighbours)
    seen = {patterns[row, column] for row in range(len(ys)) for column in range(len(xs))}
    return folds, len(seen), min(margins)
