"""The scales of a tensor, and of its rows and columns, fitted to whole numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from bitfold.entropy_coding.scales.whole_scales import (
    COARSEST_UNIT,
    DEAD,
    MOST_LINE,
    MOST_OWN,
    PER_OCTAVE,
    Lines,
    SentScale,
    best_scale,
)
from bitfold.kolmogorov.predictors.line_means import line_means
from bitfold.kolmogorov.predictors.scale_fit import SCALE_FLOOR
from bitfold.model_file.syntax.plan import ROWS, Ints, TensorPlan


def one_scale_for(numbers: Ints) -> SentScale:
    """The median of numbers, and the most likely scale around it."""
    location = int(np.median(numbers))
    mean = np.abs(numbers - location).mean()
    return SentScale(location, _own(mean) if mean else DEAD)


def row_scales(plan: TensorPlan) -> TensorPlan:
    """Turn a plan with a single scale into a plan with scales of rows and columns.

    The fit begins with `line_means`, as that of K's predictor does. One step to the most likely
    scales of each side, given the other side's, follows; the exponents are then rounded as coarsely
    as saves bits.

    Args:
        plan: of a tensor that is not dead.
    """
    distances = torch.from_numpy(np.abs(plan.numbers - plan.scale.location))
    means = plan.item.box.unflatten(distances).double().mean(2)
    found = line_means(means + SCALE_FLOOR, means > 0)
    rows, columns = found.rows[found.in_rows], found.columns[found.in_columns]
    alive = (means + SCALE_FLOOR)[found.in_rows][:, found.in_columns]
    by_rows = (alive / columns).mean(1).numpy()
    by_columns = (alive / (found.mean * rows).unsqueeze(1)).mean(0).numpy()
    total = float(np.exp(np.log(by_rows).mean() + np.log(by_columns).mean()))
    lines = (
        _lines(by_rows, found.in_rows.numpy(), plan.item.size // len(found.in_rows)),
        _lines(by_columns, found.in_columns.numpy(), plan.item.size // len(found.in_columns)),
    )
    scale = SentScale(plan.scale.location, _own(total), lines)
    return replace(plan, method=ROWS, scale=scale)


def _own(mean: float) -> int:
    return min(int(best_scale(torch.tensor(mean, device="cpu"))), MOST_OWN)


def _lines(by_side: NDArray[np.float64], alive: NDArray[np.bool_], count: int) -> Lines:
    """Round scales to exponents around their mean, more coarsely for rows of fewer numbers.

    An error of d octaves costs a number (d ln 2)^2 / 2 nats. With d evenly spread within a unit, a
    unit twice as large costs more but saves a bit. The sum is least at a unit of 40 / sqrt(count).

    Args:
        by_side: scales of the rows or columns that are alive.
        alive: which rows or columns are.
        count: numbers in each of them.
    """
    unit = int(np.clip(np.rint(np.log2(40 / np.sqrt(count))), 0, COARSEST_UNIT))
    logarithms = np.log2(by_side)
    units = np.rint((logarithms - logarithms.mean()) * PER_OCTAVE / 2**unit).astype(np.int64)
    exponents = np.full(len(alive), DEAD, np.int64)
    exponents[alive] = np.clip(units * 2**unit, -MOST_LINE, MOST_LINE)
    return Lines(exponents, unit)
