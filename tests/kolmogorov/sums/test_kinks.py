"""Functions with kinks: their values, and a fixed slope at the kink in every PyTorch version."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bitfold.kolmogorov.sums.kinks import at_least, at_most, magnitude


def slopes_of(function: Callable[[Tensor], Tensor], numbers: list[float]) -> list[float]:
    """Return the slope of a function at each number."""
    leaf = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(function(leaf).sum(), leaf)
    values: list[float] = found.tolist()
    return values


@pytest.mark.parametrize("bound", [-2.0, 0.0, 0.5])
def test_a_bound_belongs_to_the_side_that_moves(bound: float) -> None:
    """At a tie with a bound, the slope is 1."""
    numbers = [bound - 1, bound, bound + 1]
    assert slopes_of(lambda x: at_least(x, bound), numbers) == [0, 1, 1]
    assert slopes_of(lambda x: at_most(x, bound), numbers) == [1, 1, 0]


def test_a_size_has_no_slope_at_zero() -> None:
    """The slope of the size is 0 at zero of either sign."""
    assert slopes_of(magnitude, [-3.0, -0.0, 0.0, 1e-300]) == [-1, 0, 0, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_values_are_pytorchs(dtype: torch.dtype) -> None:
    """Values equal PyTorch's, infinities and NaN included, in the same dtype."""
    numbers = torch.tensor([-math.inf, -2.5, -0.0, 0.0, 0.25, 7.0, math.inf, math.nan], dtype=dtype)
    for found, expected in (
        (at_least(numbers, 0.1), numbers.clamp(min=0.1)),
        (at_most(numbers, 0.1), numbers.clamp(max=0.1)),
        (magnitude(numbers), numbers.abs()),
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
        assert found.dtype == dtype
