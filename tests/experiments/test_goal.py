"""Goals of at most one limit, within bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from bitfold.errors import ConfigError
from bitfold.experiments import Goal
from bitfold.experiments.goal import stored_goal


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_bytes": 0}, "at least 1 byte, got 0"),
        ({"psnr_db": math.nan}, "expected a finite number"),
        ({"psnr_db": 1001.0}, "between -1000 and 1000"),
        ({"error": -1.0}, "at least 0, got -1.0"),
        ({"error": math.inf}, "finite"),
        ({"error": 10**400}, "got a longer integer"),
        ({"error": "0.1"}, "got '0.1'"),
        ({"error": np.float32("nan")}, "got a float32"),
        ({"error": torch.tensor(-0.5)}, "got a Tensor"),
        ({"num_bytes": 5, "error": 0.1}, "expected one, got num_bytes and error"),
    ],
)
def test_a_limit_out_of_bounds_is_refused(values: dict[str, Any], message: str) -> None:
    """The error names the value."""
    with pytest.raises(ConfigError, match=message):
        Goal(**values)


def test_a_psnr_is_an_error_of_regression_alone() -> None:
    """20 dB are a mean squared error of 0.01; PSNR of classes is refused."""
    assert Goal(psnr_db=20).max_error("regression") == pytest.approx(0.01)
    assert Goal(error=0.3).max_error("classification") == 0.3
    assert Goal(num_bytes=3).max_error("classification") is None
    with pytest.raises(ConfigError, match="task of regression, got classification"):
        Goal(psnr_db=20).max_error("classification")


@pytest.mark.parametrize("error", [np.float32(0.25), np.float64(0.25), torch.tensor(0.25)])
def test_an_error_may_be_any_libraries_number(error: Any) -> None:
    """Numbers of NumPy and PyTorch are errors, and a float is what records get of them."""
    found = Goal(error=error).max_error("regression")
    assert (found, type(found)) == (0.25, float)


def test_a_record_holds_numbers_alone() -> None:
    """What is no number in JSON is none in a record's goal."""
    assert stored_goal({"num_bytes": None, "error": 0.25}) == Goal(error=0.25)
    for value in (True, "1", [1]):
        with pytest.raises(ValueError, match="is no number for a goal"):
            stored_goal({"error": value})
