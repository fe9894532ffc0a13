"""Scales of rows and columns, fitted to whole numbers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bitfold.entropy_coding.laplace.tables import table_bits
from bitfold.entropy_coding.laplace.tensors import tensor_bits
from bitfold.entropy_coding.scales.whole_scales import Lines
from bitfold.model_file.planning.scales import one_scale_for, row_scales
from bitfold.model_file.syntax.plan import ROWS, SCALES, Plan, TensorPlan
from bitfold.model_file.syntax.structure import REAL, TRANSPOSED, Item


def weight_bits(plan: TensorPlan) -> float:
    """Return the bits of a tensor's numbers."""
    return float(tensor_bits(plan.numbers, Plan([plan]).model(plan), table_bits("laplace")))


def numbers_of_scales(scales: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Return whole numbers drawn from Laplace distributions."""
    drawn = np.random.default_rng(seed).laplace(0, scales)
    return np.rint(drawn).astype(np.int64)


@pytest.mark.parametrize("spread", [0.5, 1.5])
@pytest.mark.parametrize("mean", [0.5, 4.0, 40.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_as_good_as_the_scales_of_the_draws(
    spread: float, mean: float, seed: int
) -> None:
    """With fitted scales, numbers take at most 1 % more bits than with the scales of the draws."""
    chance = np.random.default_rng(seed)
    sides = [np.rint(chance.normal(0, 8 * spread, count)).astype(int) for count in (60, 80)]
    own = round(8 * np.log2(mean))
    scales = 2.0 ** ((own + np.add.outer(*sides)) / 8) + 1 / 32
    numbers = numbers_of_scales(scales, seed).reshape(-1)
    base = TensorPlan(Item("weight", (60, 80), REAL), SCALES, numbers, scale=one_scale_for(numbers))
    base.scale = base.scale._replace(location=0)
    lines = tuple(Lines(side, 0) for side in sides)
    drawn = TensorPlan(base.item, ROWS, numbers, scale=base.scale._replace(own=own, lines=lines))
    assert weight_bits(row_scales(base)) < 1.01 * weight_bits(drawn) + 20


def test_rows_are_outputs_of_transposed_tensors_too() -> None:
    """In transposed tensors the first dimension is the inputs: rows and columns change places."""
    chance = np.random.default_rng(0)
    numbers = np.rint(chance.laplace(0, 9, (6, 4, 5)) * [[[1], [4], [16], [64]]]).astype(np.int64)
    plain = TensorPlan(Item("weight", (6, 4, 5), REAL), SCALES, numbers.reshape(-1))
    turned = TensorPlan(Item("weight", (6, 4, 5), TRANSPOSED), SCALES, numbers.reshape(-1))
    for plan in (plain, turned):
        plan.scale = one_scale_for(plan.numbers)
    rows, columns = row_scales(plain).scale.lines
    outputs, inputs = row_scales(turned).scale.lines
    assert np.array_equal(outputs.exponents, columns.exponents)
    assert np.array_equal(inputs.exponents, rows.exponents)
    assert (np.diff(outputs.exponents) > 0).all()
