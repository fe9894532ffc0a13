"""Parameters whose inputs are not known, rounded for a given lambda. Importing this imports Numba.

What an error does is known by gradients. For a parameter that no output depends on, a bit is worth
the same share of the parameter's sum of squares as it is worth of that of the outputs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bitfold.entropy_coding.contexts.tensors import Shape
from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.tables import (
    STEP_SHARE,
    Known,
    Table,
    allowed_step,
    rounded_table,
)
from bitfold.model_file.planning.grids import OnGrid

Floats = NDArray[np.float64]

# A step changes by at most this factor so that rounded weights are as large as others.
_MOST_GAIN = 2.0


def blindly_rounded(tensor: Tensor, rate: float, known: Known) -> OnGrid:
    """A tensor on a grid; a bit is worth a share of its power. For ``known`` see `Table`."""
    values = tensor.reshape(-1).cpu().double().numpy()
    power = max(float(np.square(values).sum()), 1e-200)
    if tensor.ndim < 2:
        return rounded_vector(values, 1 / power, rate)
    return rounded_alone(tensor, np.full(len(tensor), 1 / power), rate, known)


def rounded_alone(tensor: Tensor, importance: Floats, rate: float, known: Known) -> OnGrid:
    """A tensor whose weights do not make up for each other's errors.

    Weights go towards 0 more often than away from it, which would make all outputs smaller. So the
    step is changed until the rounded weights are as large along the weights as these themselves.

    Args:
        tensor: of at least two dimensions.
        importance: (rows,), what the square of an error in each row does.
        rate: lambda, what a bit is worth.
        known: see `Table`.
    """
    rows = tensor.reshape(len(tensor), -1).cpu().double().numpy()
    is_used = np.ones(rows.shape[1], np.bool_)
    table = Table(rows.T, None, importance, is_used, _shape_of(tensor), known)
    found, _ = rounded_table(table, 1 / float(importance.mean()), rate)
    return found._replace(step=_with_gain(rows.reshape(-1), found))


def _with_gain(values: Floats, found: OnGrid) -> float:
    """The step with which the product of rounded weights and weights is that of weights alone."""
    largest = float(np.abs(values).max(initial=0.0))
    shares = values / (largest or 1.0)  # whose squares can be added up
    product = float(shares @ found.numbers) * found.step
    if product <= 0:
        return found.step
    gain = float(shares @ values) / product
    return allowed_step(found.step * min(max(gain, 1 / _MOST_GAIN), _MOST_GAIN), largest)


def _shape_of(tensor: Tensor) -> Shape:
    outer, inner, *others = tensor.shape
    return outer, inner, math.prod(others)


def rounded_vector(values: Floats, importance: float, rate: float) -> OnGrid:
    """A vector to its nearest grid points; its numbers are few, so half the step is taken."""
    largest = float(np.abs(values).max(initial=0.0))
    step = math.sqrt(STEP_SHARE * rate / max(importance, 1e-300)) / 2
    step = allowed_step(step, largest)
    return OnGrid(np.rint(values / step).astype(np.int64), step)


def check_finite(name: str, tensor: Tensor) -> None:
    """Check that all weights are numbers.

    Raises:
        ModelFileError: if some are not.
    """
    if not bool(tensor.isfinite().all()):
        raise ModelFileError(
            f"Cannot write {name!r}: expected finite weights, got some that are not. Look for NaN "
            "or infinite weights."
        )
