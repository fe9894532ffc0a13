"""Tests of rounding column by column."""

import numpy as np
from numpy.typing import NDArray

from bitfold.model_file.calibrated.surgeon import round_columns

Floats = NDArray[np.float64]


def a_layer(num_columns: int, num_rows: int) -> tuple[Floats, Floats]:
    """Return weights (columns, rows), and second moments of dependent inputs."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(500, num_columns)) @ random.normal(size=(num_columns,) * 2)
    return random.normal(size=(num_columns, num_rows)), inputs.T @ inputs / 500


def factor_of(moments: Floats) -> Floats:
    """Return the upper Cholesky factor of the inverse."""
    return np.ascontiguousarray(np.linalg.cholesky(np.linalg.inv(moments)).T)


def test_independent_inputs_and_no_rate_mean_the_nearest_bin() -> None:
    """With independent inputs and no rate, every weight goes to its nearest bin."""
    weights, _ = a_layer(40, 7)
    steps = (np.full(40, 0.1), np.ones(7))
    numbers, left = round_columns(weights, np.eye(40), np.ones(7), steps, 0.0)
    assert np.array_equal(numbers, np.rint(weights / 0.1))
    assert np.array_equal(left, weights)


def test_later_columns_make_up_for_errors() -> None:
    """Outputs change less than with the nearest bins, also across blocks of columns."""
    weights, moments = a_layer(70, 5)
    steps = (np.full(70, 0.5), np.ones(5))
    numbers, _ = round_columns(weights, factor_of(moments), np.ones(5), steps, 0.0)

    def damage(bins: Floats) -> float:
        error = weights - 0.5 * bins
        return float(np.einsum("ir,ij,jr->", error, moments, error))

    assert damage(numbers.astype(float)) < 0.6 * damage(np.rint(weights / 0.5))


def test_the_last_column_without_a_step_takes_the_best_value() -> None:
    """A bias without a step gets the best value for the rounded weights."""
    weights, moments = a_layer(9, 4)
    steps = (np.full(8, 0.7), np.array([1.0, 2.0, 0.5, 1.0]))
    numbers, left = round_columns(weights, factor_of(moments), np.ones(4), steps, 0.0)
    error = weights[:8] - numbers * 0.7 * steps[1]
    best = weights[8] + moments[8, :8] @ error / moments[8, 8]
    np.testing.assert_allclose(left[8], best)


def test_rate_makes_zeros() -> None:
    """The higher the price of a bit, the fewer numbers are not 0."""
    weights, _ = a_layer(60, 20)
    steps = (np.full(60, 0.5), np.ones(20))
    counts = []
    for rate in (0.0, 0.05, 0.4):
        numbers, _ = round_columns(weights, np.eye(60), np.ones(20), steps, rate)
        counts.append(np.count_nonzero(numbers))
    assert counts[0] > counts[1] > 1.2 * counts[2] > 0


def test_a_weight_that_is_far_from_all_others_is_kept() -> None:
    """A bin is up to 2^50 steps away, further than a step lets a weight be."""
    weights = np.random.default_rng(0).normal(size=(30, 20))
    weights[3, 4] = 2.0**48
    numbers, _ = round_columns(weights, None, np.ones(20), (np.ones(30), np.ones(20)), 0.1)
    assert numbers[3, 4] == 2**48
