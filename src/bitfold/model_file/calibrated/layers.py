"""A module's layers, rounded for a given lambda. Importing this module imports Numba."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.entropy_coding.contexts.tensors import Shape
from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.blind import (
    blindly_rounded,
    check_finite,
    rounded_alone,
    rounded_vector,
)
from bitfold.model_file.calibrated.guess import Sampled, guessed_bits, sample_of
from bitfold.model_file.calibrated.moments import LayerMoments, Moments
from bitfold.model_file.calibrated.tables import Known, Table, is_large, rounded_table
from bitfold.model_file.planning.grids import OnGrid
from bitfold.model_file.syntax.structure import REAL, TRANSPOSED, Item, tensors_of

Floats = NDArray[np.float64]

# Added to the inputs' second moments: this share of their mean, or so much for each input over the
# count of samples, as moments of many inputs by few samples are not exact.
_DAMPING, _DAMPING_FOR_INPUTS = 1e-3, 0.02
_MOST_GRADES = 5
# A row that never matters is still worth this share of the one that matters most.
_LEAST_IMPORTANCE = 1e-6


@dataclass
class _Layer:
    """A layer in columns, which are inputs.

    Attributes:
        bias: the bias's name, if the layer has one of its own.
        weights: (columns, rows), the last column the bias.
        factor: float32, upper triangular, see `round_columns`; kept for all layers, so halved.
        importance: (rows,).
        is_used: (columns without the bias,), whether the input is ever other than 0.
        shape: of the tensor.
    """

    bias: str | None
    weights: Floats
    factor: NDArray[np.float32]
    importance: Floats
    is_used: NDArray[np.bool_]
    shape: Shape


class RoundedLayers:
    """Rounds a module's parameters so that its outputs change as little as possible.

    Args:
        module: any module.
        moments: of it, by `observe`; the layers are taken out one by one, which frees their memory.
    """

    def __init__(self, module: nn.Module, moments: Moments) -> None:
        self._slopes, self._power = moments.slopes, max(moments.power, 1e-30)
        self._tensors = [
            (item, tensor) for item, tensor in tensors_of(module) if item.kind in (REAL, TRANSPOSED)
        ]
        in_large = is_large(sum(item.size for item, _ in self._tensors))
        self._known = {item.name: Known(in_large) for item, _ in self._tensors}
        parameters = list(module.named_parameters())
        items = tensors_of(module)[: len(parameters)]
        self._keys = {item.name: id(p) for (item, _), (_, p) in zip(items, parameters, strict=True)}
        names = {key: name for name, key in self._keys.items()}
        self._layers, self._samples = dict[str, _Layer](), list[Sampled]()
        for item, tensor in items:
            found = moments.layers.pop(self._keys[item.name], None)
            if found is not None:
                bias = None if found.bias is None else names[id(found.bias)]
                layer = _layer(item, tensor, found, bias)
                self._layers[item.name] = layer
                used = layer.weights[: len(layer.is_used)][layer.is_used]
                self._samples.append(sample_of(torch.from_numpy(used), 1 / _squared_step(layer)))

    def grids(self, rate: float) -> dict[str, OnGrid]:
        """Each parameter on a grid, by its name.

        Args:
            rate: lambda, the mean square of the change of outputs that a bit is worth.
        """
        found, biases = dict[str, OnGrid](), dict[str, Floats]()
        for name, layer in self._layers.items():
            found[name], bias = _rounded(layer, rate, self._known[name])
            if layer.bias is not None:
                biases[layer.bias] = bias
        for item, tensor in self._tensors:
            if item.name in self._keys and item.name not in found and item.size:
                found[item.name] = self._other(item.name, tensor, biases.get(item.name), rate)
        return found

    def guessed_bits(self, rate: float) -> float:
        """About the bits of all layers, see `grids`."""
        return guessed_bits(self._samples, rate)

    def _other(self, name: str, tensor: Tensor, bias: Floats | None, rate: float) -> OnGrid:
        """A parameter that no recorded call multiplies inputs with."""
        check_finite(name, tensor)
        slopes = self._slopes[self._keys[name]].cpu().double()
        if not bool((slopes > 0).any()):
            return blindly_rounded(tensor, rate / self._power, self._known[name])
        if tensor.ndim < 2:
            values = _numbers(tensor) if bias is None else bias
            return rounded_vector(values, float(slopes.mean()), rate)
        of_rows: Floats = slopes.reshape(tensor.shape).flatten(1).mean(1).numpy()
        return rounded_alone(tensor, _floored(of_rows), rate, self._known[name])


def _layer(item: Item, tensor: Tensor, moments: LayerMoments, bias: str | None) -> _Layer:
    name = item.name
    check_finite(name, tensor)
    rows = tensor.reshape(len(tensor), -1).cpu().double().numpy()
    own = np.zeros(len(rows)) if moments.bias is None else _numbers(moments.bias)
    if not np.isfinite(own).all():
        raise ModelFileError(
            f"Cannot write the bias of {name!r}: expected finite numbers, got some that are not. "
            "Look for NaN or infinite weights."
        )
    inputs = moments.inputs.cpu().double().numpy()
    importance = moments.outputs.cpu().double().numpy()
    if not (np.isfinite(inputs).all() and np.isfinite(importance).all()):
        raise ModelFileError(
            f"Cannot calibrate {name!r}: expected finite inputs and gradients, got some that are "
            "not. Look for NaN or infinite numbers in the batches."
        )
    if moments.bias is None:
        inputs = inputs[:-1, :-1]
    diagonal = np.diag(inputs)
    damping = max(_DAMPING, _DAMPING_FOR_INPUTS * len(inputs) / moments.samples)
    factor = _factor(name, inputs, damping * diagonal.mean() + 1e-30)
    weights = rows.T if moments.bias is None else np.concatenate([rows.T, own[None]])
    short = np.ascontiguousarray(factor, np.float32)
    is_used = diagonal[: rows.shape[1]] > 0
    shape = item.box.in_memory
    return _Layer(bias, weights, short, _floored(importance), is_used, shape)


def _floored(importance: Floats) -> Floats:
    """An output that never matters is worth a little, so that it does not become arbitrary."""
    least = _LEAST_IMPORTANCE * importance.max(initial=0.0)
    found: Floats = np.maximum(importance, least) + 1e-30
    return found


def _factor(name: str, inputs: Floats, damping: float) -> Floats:
    """The upper Cholesky factor of the inverse; rounding of wide layers may need more damping."""
    for grade in range(_MOST_GRADES):
        damped = inputs + np.eye(len(inputs)) * damping * 10.0**grade
        found = _inverse_factor(damped)
        if found is not None:
            return found
    raise ModelFileError(
        f"Cannot calibrate {name!r}: expected second moments of inputs that are positive, got "
        "others. Give more batches, or leave calibration out."
    )


def _inverse_factor(matrix: Floats) -> Floats | None:
    """The upper factor U of the inverse U' U of a matrix R R': the inverse of its upper factor R.

    R is the Cholesky factor of the matrix with both axes reversed; None: it has none.
    """
    lower, failed = torch.linalg.cholesky_ex(torch.from_numpy(matrix).flip(0, 1))
    if failed:
        return None
    one = torch.eye(len(matrix), dtype=torch.float64, device="cpu")
    found = torch.linalg.solve_triangular(lower.flip(0, 1), one, upper=True)
    inverse: Floats = found.numpy()
    return inverse


def _rounded(layer: _Layer, rate: float, known: Known) -> tuple[OnGrid, Floats]:
    factor = layer.factor.astype(np.float64)
    own = layer.importance, layer.is_used, layer.shape
    table = Table(layer.weights, factor, *own, known)
    found, left = rounded_table(table, _squared_step(layer), rate)
    return found, left[-1]


def _squared_step(layer: _Layer) -> float:
    """The square of a layer's step over lambda and its share; 1 if no input is ever used."""
    used = np.diag(layer.factor)[: len(layer.is_used)][layer.is_used].astype(np.float64)
    if not len(used):
        return 1.0
    typical = math.exp(np.log(used).mean())
    return float(typical**2 / layer.importance.mean())


def _numbers(tensor: Tensor) -> Floats:
    found: Floats = tensor.detach().reshape(-1).cpu().to(torch.float64).numpy()
    return found
