"""Tests of rounding on a trellis."""

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from bitfold.entropy_coding.contexts.adaptive_bits import new_contexts
from bitfold.entropy_coding.contexts.numbers import NUM_CONTEXTS, SIZES, size_context
from bitfold.entropy_coding.contexts.tensors import ContextWriter
from bitfold.entropy_coding.rans.symbols import symbol_bits
from bitfold.entropy_coding.trellis.costs import cost_of, fill_costs, new_costs
from bitfold.entropy_coding.trellis.states import NEXT, number_at
from bitfold.entropy_coding.trellis.tensors import TrellisWriter
from bitfold.model_file.calibrated.surgeon import round_columns
from bitfold.model_file.calibrated.trellis import round_on_trellis
from tests.entropy_coding.trellis.paths import is_on_trellis
from tests.model_file.calibrated.test_surgeon import a_layer, factor_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def price(places: tuple[int, ...], weights: Floats, costs: Floats, rate: float) -> float:
    """Return damage and lambda times bits of one column's places."""
    total, state, numbers = 0.0, 0, [0, 0]
    for place, weight in zip(places, weights, strict=True):
        quantiser = state & 1
        number = number_at(place, quantiser)
        context = size_context(abs(numbers[-1]), abs(numbers[-2]), 0) + SIZES * quantiser
        total += (weight - number) ** 2 + rate * cost_of(costs[context], abs(place))
        state = NEXT[state, place & 1]
        numbers.append(number)
    return total


def rounded_twice(
    weights: Floats,
    factor: Floats | None,
    prices: tuple[Floats, Floats, float],
    together: int = 1,
) -> Ints:
    """Return the numbers of weights, which were rounded once before to learn their costs."""
    contexts = new_contexts(NUM_CONTEXTS)
    for _ in range(2):
        numbers, _ = round_on_trellis(weights, factor, prices, contexts, together=together)
    return numbers


@pytest.mark.parametrize("seed", range(12))
def test_the_best_of_all_paths_is_found(seed: int) -> None:
    """Of all paths of a column of five weights, none has a smaller sum of damage and rate.

    The context of a path's next number depends on its last two, so a path that was given up may
    have been the best; with one context for all sizes, it never is.
    """
    chance = np.random.default_rng(seed)
    weights, rate = chance.normal(size=5) * 2, (0.0, 0.05, 0.3)[seed % 3]
    costs = new_costs()
    fill_costs(new_contexts(NUM_CONTEXTS), costs)
    assert np.ptp(costs, axis=0).max() == 0
    least = min(
        price(places, weights, costs, rate) for places in itertools.product(range(-3, 4), repeat=5)
    )
    numbers, _ = round_on_trellis(
        weights[None], None, (np.ones(5), np.ones(1), rate), new_contexts(NUM_CONTEXTS), together=0
    )
    state, places = 0, []
    for number in numbers[0].tolist():
        places.append((abs(number) + (state & 1) >> 1) * (-1 if number < 0 else 1))
        state = NEXT[state, places[-1] & 1]
    assert price(tuple(places), weights, costs, rate) == pytest.approx(least, rel=1e-12)


@pytest.mark.parametrize("together", [0, 1, 3])
def test_numbers_lie_on_the_trellis(together: int) -> None:
    """A file can hold them, also with columns of zeros, whether they share flags or not."""
    weights, moments = a_layer(60, 5)
    weights[6:9] = weights[20] = 0
    steps = np.full(60, 0.6)
    steps[30:36] = 0
    shape = (5, 60 // max(together, 1), max(together, 1))
    prices = np.ones(5), steps, 0.2
    numbers = rounded_twice(weights, factor_of(moments), prices, together)
    assert not numbers[30:36].any()
    assert numbers.any(axis=1).sum() > 30
    if together:
        assert is_on_trellis(numbers.T.reshape(-1), shape)


def test_errors_are_smaller_than_those_of_one_grid() -> None:
    """At no rate, errors are those of a grid of 0.55 of the step between a quantiser's numbers."""
    chance = np.random.default_rng(0)
    weights = chance.normal(size=(100, 300)) * 20
    numbers = rounded_twice(weights, None, (np.ones(300), np.ones(100), 0.0))
    error = np.square(weights - numbers).mean()
    # On a grid of step 2 it is 1 / 3; the trellis gains about 1 dB.
    assert 0.25 < error < 0.27


def test_later_columns_make_up_for_errors() -> None:
    """Outputs change less than without, also across blocks of columns."""
    weights, moments = a_layer(70, 5)

    def damage(factor: Floats | None) -> float:
        numbers = rounded_twice(weights, factor, (np.ones(5), np.full(70, 0.3), 0.0))
        error = weights - 0.3 * numbers
        return float(np.einsum("ir,ij,jr->", error, moments, error))

    assert damage(factor_of(moments)) < 0.6 * damage(None)


def test_a_trellis_is_better_than_a_grid() -> None:
    """At one price of a bit, the sum of damage and the file's bits is smaller than on a grid."""
    weights, rate = np.random.default_rng(1).laplace(size=(200, 60)), 0.1
    steps = {"grid": math.sqrt(8 * rate), "trellis": math.sqrt(5 * rate)}
    numbers = {
        "grid": round_columns(
            weights, None, np.ones(60), (np.full(200, steps["grid"]), np.ones(60)), rate
        )[0],
        "trellis": rounded_twice(
            weights, None, (np.ones(60), np.full(200, steps["trellis"]), rate)
        ),
    }
    total = dict[str, float]()
    for name, writer in (("grid", ContextWriter()), ("trellis", TrellisWriter())):
        bits = sum(map(symbol_bits, writer.symbols(numbers[name].T.reshape(-1), (60, 200, 1))))
        damage = np.square(weights - numbers[name] * steps[name]).sum()
        total[name] = float(damage + rate * bits)
    assert total["trellis"] < 0.97 * total["grid"]


def test_a_weight_that_is_far_from_all_others_is_kept() -> None:
    """A number goes up to 2^50 steps, further than a step lets a weight be."""
    weights = np.random.default_rng(0).normal(size=(30, 20))
    weights[3, 4] = 2.0**48
    numbers = rounded_twice(weights, None, (np.ones(20), np.ones(30), 0.1))
    assert abs(numbers[3, 4] - 2.0**48) <= 1
