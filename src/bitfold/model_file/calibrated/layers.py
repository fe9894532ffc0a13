"""A module's layers, rounded for a given lambda. Importing this module imports Numba."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.moments import LayerMoments, Moments
from bitfold.model_file.calibrated.surgeon import round_columns
from bitfold.model_file.planning.grids import OnGrid, coarse
from bitfold.model_file.syntax.structure import REAL, TRANSPOSED, tensors_of

Floats = NDArray[np.float64]

#: A step's square times the importance of the weight, over lambda; 12 / (2 ln 2) at high rates.
_STEP_SHARE = 8.0
# Added to the inputs' second moments: this share of their mean.
_DAMPING = 1e-3
_MOST_GRADES = 5


@dataclass
class _Layer:
    """A layer in columns, which are inputs.

    Attributes:
        bias: the bias's name, if the layer has one of its own.
        weights: (columns, rows), the last column the bias.
        factor: upper triangular, see `round_columns`.
        importance: (rows,).
        is_used: (columns without the bias,), whether the input is ever other than 0.
    """

    bias: str | None
    weights: Floats
    factor: Floats
    importance: Floats
    is_used: NDArray[np.bool_]


class RoundedLayers:
    """Rounds a module's parameters so that its outputs change as little as possible.

    Args:
        module: any module.
        moments: of it, by `observe`.
    """

    def __init__(self, module: nn.Module, moments: Moments) -> None:
        self._moments = moments
        self._tensors = [
            (item, tensor) for item, tensor in tensors_of(module) if item.kind in (REAL, TRANSPOSED)
        ]
        parameters = list(module.named_parameters())
        items = tensors_of(module)[: len(parameters)]
        self._keys = {item.name: id(p) for (item, _), (_, p) in zip(items, parameters, strict=True)}
        names = {key: name for name, key in self._keys.items()}
        self._layers = dict[str, _Layer]()
        for item, tensor in items:
            found = moments.layers.get(self._keys[item.name])
            if found is not None:
                bias = None if found.bias is None else names[id(found.bias)]
                self._layers[item.name] = _layer(item.name, tensor, found, bias)

    def grids(self, rate: float) -> dict[str, OnGrid]:
        """Each parameter on a grid, by its name.

        Args:
            rate: lambda, the mean square of the change of outputs that a bit is worth.
        """
        found, biases = dict[str, OnGrid](), dict[str, Floats]()
        for name, layer in self._layers.items():
            found[name], bias = _rounded(layer, rate)
            if layer.bias is not None:
                biases[layer.bias] = bias
        for item, tensor in self._tensors:
            key = self._keys.get(item.name)
            if key is None or item.name in found or item.size == 0:
                continue
            values = biases.get(item.name)
            if values is None:
                values = tensor.reshape(-1).cpu().double().numpy()
            slope = float(self._moments.slopes[key].mean())
            found[item.name] = _plain(values, slope, rate)
        return found


def _layer(name: str, tensor: Tensor, moments: LayerMoments, bias: str | None) -> _Layer:
    rows = tensor.reshape(len(tensor), -1).cpu().double().numpy()
    own = np.zeros(len(rows)) if moments.bias is None else _numbers(moments.bias)
    if not (np.isfinite(rows).all() and np.isfinite(own).all()):
        raise ModelFileError(
            f"Cannot write {name!r}: expected finite weights, got some that are not. Look for NaN "
            "or infinite weights."
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
    factor = _factor(name, inputs, _DAMPING * diagonal.mean() + 1e-30)
    weights = rows.T if moments.bias is None else np.concatenate([rows.T, own[None]])
    # An output that never matters is still worth a little, so that it does not become arbitrary.
    importance = np.maximum(importance, 1e-6 * importance.max(initial=0.0)) + 1e-30
    return _Layer(
        bias, weights, np.ascontiguousarray(factor), importance, diagonal[: rows.shape[1]] > 0
    )


def _factor(name: str, inputs: Floats, damping: float) -> Floats:
    """The upper Cholesky factor of the inverse; rounding of wide layers may need more damping."""
    for grade in range(_MOST_GRADES):
        damped = inputs + np.eye(len(inputs)) * damping * 10.0**grade
        try:
            return np.linalg.cholesky(np.linalg.inv(damped)).T
        except np.linalg.LinAlgError:
            continue
    raise ModelFileError(
        f"Cannot calibrate {name!r}: expected second moments of inputs that are positive, got "
        "others. Give more batches, or leave calibration out."
    )


def _rounded(layer: _Layer, rate: float) -> tuple[OnGrid, Floats]:
    num_columns = len(layer.is_used)
    pivots = np.diag(layer.factor)[:num_columns]
    used = pivots[layer.is_used]
    step = 1.0
    if len(used):
        typical = math.exp(np.log(used).mean())
        step = typical * math.sqrt(_STEP_SHARE * rate / layer.importance.mean())
    step = coarse(step)
    steps = (np.where(layer.is_used, step, 0.0), np.ones(len(layer.importance)))
    numbers, left = round_columns(layer.weights, layer.factor, layer.importance, steps, rate)
    return OnGrid(np.ascontiguousarray(numbers.T).reshape(-1), step), left[-1]


def _plain(values: Floats, slope: float, rate: float) -> OnGrid:
    largest = float(np.abs(values).max(initial=0.0))
    step = math.sqrt(_STEP_SHARE * rate / max(slope, 1e-30))
    # A vector's numbers are few: half the step costs one bit each.
    step = coarse(min(step / 2, max(largest, 2.0**-100)))
    step = max(step, coarse(largest * 2.0**-48))
    return OnGrid(np.rint(values / step).astype(np.int64), step)


def _numbers(tensor: Tensor) -> Floats:
    found: Floats = tensor.detach().reshape(-1).cpu().to(torch.float64).numpy()
    return found
