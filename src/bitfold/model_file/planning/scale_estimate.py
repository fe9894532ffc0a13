"""Scales of rows and columns, fitted to numbers."""

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
from bitfold.model_file.syntax.plan import ROWS, Ints, TensorPlan
from bitfold.model_file.syntax.structure import TRANSPOSED

_ROUNDS = 4


def one_scale_for(numbers: Ints) -> SentScale:
    """The median, and the most likely scale around it."""
    location = int(np.median(numbers))
    mean = np.abs(numbers - location).mean()
    return SentScale(location, _own(mean) if mean else DEAD)


def row_scales(plan: TensorPlan) -> TensorPlan:
    """A plan with scales of rows and columns of one with a single scale, which is not dead.

    Source: none, ours. Each side's scales are in turn what is most likely given the other's, as
    for a rank-1 model of a Laplace distribution's scales; rounded as coarsely as saves bits.
    """
    outer, inner, together = plan.item.sides
    location = plan.scale.location
    distances = np.abs(plan.numbers - location).reshape(outer, inner, together)
    means = distances.mean(axis=2)
    rows, columns = means.any(axis=1), means.any(axis=0)
    alive = means[rows][:, columns]
    by_rows, by_columns = np.ones(alive.shape[0]), np.ones(alive.shape[1])
    # No distance is shorter than what keeps a logarithm finite.
    sizes = alive + 1e-3 * alive.mean()
    for _ in range(_ROUNDS):
        by_rows = (sizes / by_columns).mean(axis=1)
        by_columns = (sizes / by_rows[:, None]).mean(axis=0)
    total = float(np.exp(np.log(by_rows).mean() + np.log(by_columns).mean()))
    lines = (
        _lines(by_rows, rows, inner * together),
        _lines(by_columns, columns, outer * together),
    )
    if plan.item.kind == TRANSPOSED:
        lines = lines[1], lines[0]
    return replace(plan, method=ROWS, scale=SentScale(location, _own(total), lines))


def _own(mean: float) -> int:
    return min(int(best_scale(torch.tensor(mean))), MOST_OWN)


def _lines(by_side: NDArray[np.float64], alive: NDArray[np.bool_], count: int) -> Lines:
    """In eighths of an octave around their mean, coarser for rows of fewer numbers.

    An error of d octaves costs a number (d ln 2)^2 / 2 nats, d being evenly spread within a unit;
    a unit twice as large saves a bit. Both together are least at a unit of 40 / sqrt(count).
    """
    unit = int(np.clip(np.rint(np.log2(40 / np.sqrt(count))), 0, COARSEST_UNIT))
    logarithms = np.log2(by_side)
    units = np.rint((logarithms - logarithms.mean()) * PER_OCTAVE / 2**unit).astype(np.int64)
    exponents = np.full(len(alive), DEAD, np.int64)
    exponents[alive] = np.clip(units * 2**unit, -MOST_LINE, MOST_LINE)
    return Lines(exponents, unit)
