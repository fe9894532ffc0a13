"""Parameters whose inputs are not known, rounded for a given lambda. Importing this imports Numba.

What an error does is known by gradients. For a parameter that no output depends on, a bit is worth
the same share of the parameter's sum of squares as it is worth of that of the outputs.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.surgeon import round_columns
from bitfold.model_file.planning.grids import OnGrid, coarse

Floats = NDArray[np.float64]

#: A step's square times the importance of the weight, over lambda; 12 / (2 ln 2) at high rates.
STEP_SHARE = 8.0
# No number may be further than 2^50 steps from 0.
_MOST_STEPS = 2.0**48


def blindly_rounded(tensor: Tensor, rate: float) -> OnGrid:
    """A tensor on a grid; a bit is worth a share of its power."""
    values = tensor.reshape(-1).cpu().double().numpy()
    power = max(float(np.square(values).sum()), 1e-200)
    if tensor.ndim < 2:
        return rounded_vector(values, 1 / power, rate)
    return rounded_alone(tensor, np.full(len(tensor), 1 / power), rate)


def rounded_alone(tensor: Tensor, importance: Floats, rate: float) -> OnGrid:
    """A tensor whose weights do not make up for each other's errors.

    Args:
        tensor: of at least two dimensions.
        importance: (rows,), what the square of an error in each row does.
        rate: lambda, what a bit is worth.
    """
    rows = tensor.reshape(len(tensor), -1).cpu().double().numpy()
    largest = float(np.abs(rows).max(initial=0.0))
    step = math.sqrt(STEP_SHARE * rate / importance.mean())
    step = _allowed(step, largest)
    steps = (np.full(rows.shape[1], step), np.ones(len(rows)))
    numbers, _ = round_columns(np.ascontiguousarray(rows.T), None, importance, steps, rate)
    return OnGrid(np.ascontiguousarray(numbers.T).reshape(-1), step)


def rounded_vector(values: Floats, importance: float, rate: float) -> OnGrid:
    """A vector to its nearest grid points; its numbers are few, so half the step is taken."""
    largest = float(np.abs(values).max(initial=0.0))
    step = math.sqrt(STEP_SHARE * rate / max(importance, 1e-300)) / 2
    step = _allowed(step, largest)
    return OnGrid(np.rint(values / step).astype(np.int64), step)


def _allowed(step: float, largest: float) -> float:
    """The nearest step that a file may have; with the longest one all numbers are 0."""
    return coarse(max(min(step, 4 * largest + 2.0**-100), largest / _MOST_STEPS))


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
