"""Scales fitted to weights that stay as they are, among those that can be sent."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from bitfold.entropy_coding.scales.whole_scales import (
    LEAST_OWN,
    MOST_LINE,
    MOST_OWN,
    PER_OCTAVE,
    unit_of,
)
from bitfold.kolmogorov.grid.ranges import WeightRange
from bitfold.kolmogorov.predictors.laplace_logistic import SCALE_FLOOR, ScalePredictor
from bitfold.kolmogorov.predictors.scale_quantisation import as_box, numbers_in_parts
from bitfold.kolmogorov.weights.parameters import ParameterTable

Floats = NDArray[np.float64]

_NATS_AN_EIGHTH = math.log(2) / PER_OCTAVE
# Rows, columns and the tensor are fitted in turn, so often: more changed nothing.
_ROUNDS = 4
# Exponents of lines that are tried, in octaves, and what one of them is thought to take in nats:
# where two are as good, the smaller one is sent in fewer bits.
_MOST_TRIED = 6
_NATS_AN_OCTAVE = 0.7


@torch.no_grad()
def fit_scales(
    predictor: ScalePredictor, table: ParameterTable, weight_range: WeightRange, precision_bits: int
) -> None:
    """Set a predictor's scales to those, among the ones that can be sent, that code shortest.

    Source: coordinate descent; none, ours.

    Args:
        predictor: centred, with Laplace distributions.
        table: the described parameters, which stay as they are.
        weight_range: turns them into values.
        precision_bits: in which it is sent.
    """
    unit = 2 ** unit_of(precision_bits)
    for number, block in enumerate(predictor.layout.blocks):
        numbers = torch.cat(list(numbers_in_parts(table, weight_range, number)))
        box = as_box(numbers, block).cpu().numpy()
        if not box.any():
            continue
        lines = list(zip(predictor.line_names, predictor.first_lines(number), strict=False))
        alive = [np.asarray(box.any(axes)) for axes in ((1, 2), (0, 2))]
        if not lines:
            alive = [np.ones_like(side) for side in alive]
        sizes = np.abs(box[alive[0]][:, alive[1]]).astype(float)
        own, *found = _fit_box(sizes, unit if lines else 0)
        predictor.log_scale[number] = own * _NATS_AN_EIGHTH
        for (name, first), is_alive, exponents in zip(lines, alive, found, strict=False):
            # Lines without weights are not sent; like this K keeps them without.
            whole = np.full(len(is_alive), -float(MOST_LINE))
            whole[is_alive] = exponents
            logarithms = torch.from_numpy(whole * _NATS_AN_EIGHTH)
            predictor.get_parameter(name)[first : first + len(whole)] = logarithms


def _fit_box(sizes: Floats, unit: int) -> tuple[int, Floats, Floats]:
    """The tensor's exponent, the rows' and the columns', in eighths: sizes as box; 0: no lines."""
    rows, columns = np.zeros(sizes.shape[0]), np.zeros(sizes.shape[1])
    own = _best_own(sizes, 0.0 * sizes[:, :, :1], round(math.log(sizes.mean()) / _NATS_AN_EIGHTH))
    if not unit:
        return own, rows, columns
    most = _MOST_TRIED * PER_OCTAVE // unit
    tried = np.arange(-most, most + 1) * unit
    toll = _NATS_AN_OCTAVE / PER_OCTAVE * np.abs(tried)[:, None]
    for _ in range(_ROUNDS):
        base = (own + columns)[None, :, None]
        found = [_nats(sizes, base + more).sum((1, 2)) for more in tried]
        rows = tried[(np.stack(found) + toll).argmin(0)]
        base = (own + rows)[:, None, None]
        found = [_nats(sizes, base + more).sum((0, 2)) for more in tried]
        columns = tried[(np.stack(found) + toll).argmin(0)]
        own = _best_own(sizes, rows[:, None, None] + columns[None, :, None], own)
    return own, rows, columns


def _best_own(sizes: Floats, lines: Floats, near: int) -> int:
    tried = np.arange(near - 24, near + 25).clip(LEAST_OWN, MOST_OWN)
    return int(min(tried, key=lambda own: _nats(sizes, own + lines).sum()))


def _nats(sizes: Floats, exponents: Floats) -> Floats:
    """What weights cost by their scales in eighths of an octave, see `log_mass_laplace`."""
    inverse = 1 / (np.exp(exponents * _NATS_AN_EIGHTH) + SCALE_FLOOR)
    zero = -np.log(-np.expm1(-inverse / 2))
    beyond = math.log(2) - np.log(-np.expm1(-inverse)) - inverse / 2
    nats: Floats = np.where(sizes == 0, zero, beyond + sizes * inverse)
    return nats
