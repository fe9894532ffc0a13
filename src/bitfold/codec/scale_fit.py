"""Scales of rows and columns, fitted to numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from bitfold.codec.plan import ROWS, Ints, TensorPlan
from bitfold.kolmogorov.integer_tables import PER_OCTAVE
from bitfold.kolmogorov.sent_scales import DEAD, best_scale

_ROUNDS = 4


def row_scales(plan: TensorPlan) -> TensorPlan:
    """A plan with scales of rows and columns of one with a single scale.

    Source: none, ours. Each side's scales are in turn what is most likely given the other's, as
    for a rank-1 model of a Laplace distribution's scales; rounded as coarsely as saves bits.
    """
    outer, inner, together = plan.item.sides
    distances = np.abs(plan.numbers - plan.location).reshape(outer, inner, together)
    means = distances.mean(axis=2)
    rows, columns = means.any(axis=1), means.any(axis=0)
    alive = means[rows][:, columns]
    if alive.size == 0:
        alive = np.ones((1, 1))
    by_rows, by_columns = np.ones(alive.shape[0]), np.ones(alive.shape[1])
    # No distance is shorter than what keeps a logarithm finite.
    sizes = alive + 1e-3 * alive.mean()
    for _ in range(_ROUNDS):
        by_rows = (sizes / by_columns).mean(axis=1)
        by_columns = (sizes / by_rows[:, None]).mean(axis=0)
    total = float(np.exp(np.log(by_rows).mean() + np.log(by_columns).mean()))
    return replace(
        plan,
        method=ROWS,
        scale=int(best_scale(torch.tensor(total))),
        outer=_factors(by_rows, rows, inner * together),
        inner=_factors(by_columns, columns, outer * together),
    )


def _factors(by_side: np.typing.NDArray[np.float64], alive: Ints, count: int) -> Ints:
    """In eighths of an octave around their mean, coarser for rows of fewer numbers.

    An error of d octaves costs a number (d ln 2)^2 / 2 nats, d being evenly spread within a unit;
    a unit twice as large saves a bit. Both together are least at a unit of 40 / sqrt(count).
    """
    unit = 2 ** int(np.clip(np.rint(np.log2(40 / np.sqrt(count))), 0, 3))
    logarithms = np.log2(by_side)
    eighths = (logarithms - logarithms.mean()) * PER_OCTAVE
    factors = np.full(len(alive), DEAD, np.int64)
    factors[alive.astype(bool)] = np.clip(np.rint(eighths / unit) * unit, -128, 128)[: alive.sum()]
    return factors
