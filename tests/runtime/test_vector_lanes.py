"""Tests of operations on sixteen numbers at a time."""

from typing import Any

import numpy as np
from numba import njit

from bitfold.runtime import vector_lanes


@njit
def power_each(values: Any, results: Any) -> None:
    """Write 2^values, sixteen at a time."""
    for k in range(0, values.shape[0], vector_lanes.LANES):
        vector_lanes.store(results, k, vector_lanes.power_of_two(vector_lanes.load(values, k)))


def test_powers_of_two_are_exact_to_two_roundings() -> None:
    """2^x has a relative error of at most 2e-7 for normal numbers, and NaN stays NaN."""
    values = np.linspace(-125, 126.9, 2**18, dtype=np.float32)
    results = np.empty_like(values)
    power_each(values, results)
    exact = np.exp2(values.astype(np.float64))
    assert np.abs(results / exact - 1).max() < 2e-7
    assert np.all(results[values == np.round(values)] == exact[values == np.round(values)])
    special = np.array([-np.inf, -1e38, np.nan, *np.zeros(13)], dtype=np.float32)
    results = np.empty_like(special)
    power_each(special, results)
    assert 0 < results[0] == results[1] < 1e-37
    assert np.isnan(results[2])
