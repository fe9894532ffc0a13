"""Scales fitted to fixed weights: the same as by a search that costs each weight."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from bitfold.kolmogorov.predictors.scale_fit import NATS_AN_EIGHTH, SCALE_FLOOR, fit_tensor

Floats = NDArray[np.float64]


def _nats(sizes: Floats, exponents: Floats) -> Floats:
    """The cost of each weight under a Laplace around 0 of scale 2^(exponent / 8) + 1/32."""
    inverse = 1 / (np.exp(exponents * math.log(2) / 8) + SCALE_FLOOR)
    beyond = math.log(2) - np.log(-np.expm1(-inverse)) - inverse / 2
    nats: Floats = np.where(sizes == 0, -np.log(-np.expm1(-inverse / 2)), beyond + sizes * inverse)
    return nats


def _slowly(sizes: Floats, unit: int) -> tuple[int, Floats, Floats]:
    """The coordinate descent of `fit_tensor`, with the cost of each weight at each exponent."""
    rows, columns = np.zeros(sizes.shape[0]), np.zeros(sizes.shape[1])

    def best_own(near: int) -> int:
        tried = np.arange(near - 24, near + 25).clip(-128, 127)
        lines = rows[:, None, None] + columns[None, :, None]
        return int(min(tried, key=lambda own: _nats(sizes, own + lines).sum()))

    own = best_own(round(math.log(sizes.mean()) / NATS_AN_EIGHTH))
    tried = np.arange(-(48 // unit), 48 // unit + 1) * unit if unit else np.zeros(1)
    toll = 0.7 / 8 * np.abs(tried)[:, None]
    for _ in range(4 if unit else 0):
        base = (own + columns)[None, :, None]
        costs = np.stack([_nats(sizes, base + more).sum((1, 2)) for more in tried])
        rows = tried[(costs + toll).argmin(0)]
        base = (own + rows)[:, None, None]
        costs = np.stack([_nats(sizes, base + more).sum((0, 2)) for more in tried])
        columns = tried[(costs + toll).argmin(0)]
        own = best_own(own)
    return own, rows, columns


@pytest.mark.parametrize("unit", [0, 1, 2, 4, 8])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 1), (9, 4, 1), (5, 3, 9), (2, 2, 25)])
def test_the_fit_is_that_of_a_search_which_costs_each_weight(
    unit: int, shape: tuple[int, int, int]
) -> None:
    """Tensors of few and of large numbers, with and without dead lines, in all units."""
    rng = np.random.default_rng(3)
    for size in (0.6, 3.0, 200.0):
        spread = np.exp(rng.normal(size=(shape[0], 1, 1)) + rng.normal(size=(1, shape[1], 1)))
        numbers = np.rint(rng.laplace(size=shape) * spread * size).astype(np.int64)
        numbers[0, 0, 0] = 1  # no tensor of zeros
        found = fit_tensor(numbers, unit)
        assert found is not None
        alive = [numbers.any((1, 2)), numbers.any((0, 2))] if unit else [slice(None)] * 2
        own, rows, columns = _slowly(np.abs(numbers[alive[0]][:, alive[1]]).astype(float), unit)
        assert (found.own, *found.rows[alive[0]]) == (own, *rows)
        assert list(found.columns[alive[1]]) == list(columns)


def test_lines_without_weights_get_next_to_nothing() -> None:
    """They get 15 octaves less; a tensor without weights has no scales."""
    numbers = np.zeros((3, 2, 4), np.int64)
    numbers[1, 0] = 5, -2, 0, 3
    found = fit_tensor(numbers, 8)
    assert found is not None
    assert (found.rows[[0, 2]] == -120).all()
    assert found.columns[1] == -120
    assert fit_tensor(np.zeros((3, 2, 4), np.int64), 8) is None
