"""Tests of the grid of bins."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import Bins


@given(
    num_bins=st.integers(2, 400),
    minimum=st.floats(-50, 49, width=32),
    spread=st.floats(0.125, 50, width=32),
    share=st.floats(-0.2, 1.2),
)
def test_nearest_bin_is_the_nearest_of_all(
    num_bins: Any, minimum: Any, spread: Any, share: Any
) -> None:
    """No other bin's centre is closer to a weight than its own bin's."""
    bins = Bins(num_bins, minimum, minimum + spread)
    weight = torch.tensor([minimum + share * spread], dtype=torch.float64)
    centres = bins.centres(torch.arange(num_bins), torch.float64)
    own = bins.centres(bins.nearest(weight), torch.float64)
    assert (weight - own).abs() <= (weight - centres).abs().min() + 1e-9


def test_binning_rounds_instead_of_truncating() -> None:
    """A weight just below a bin's centre belongs to that bin, not to the bin below."""
    bins = Bins(256, -3.0, 3.0)
    weights = bins.centres(torch.tensor([100, 254]), torch.float64) - 0.4 * bins.width
    assert bins.nearest(weights).tolist() == [100, 254]


def test_limits_are_bins() -> None:
    """The first and the last bin lie at the limits of the range."""
    bins = Bins(5, -1.0, 7.0)
    assert bins.centres(torch.tensor([0, 4]), torch.float32).tolist() == [-1.0, 7.0]


def test_limits_are_those_that_a_decoder_gets() -> None:
    """Limits are rounded to float32, the precision in which they are sent."""
    assert Bins(3, 0.1, 0.3).minimum == torch.tensor(0.1, dtype=torch.float32).item() != 0.1


@pytest.mark.parametrize(
    ("num_bins", "minimum", "maximum"),
    [
        (1, -1.0, 1.0),
        (0, -1.0, 1.0),
        (100_000, -1.0, 1.0),
        (8, 1.0, 1.0),
        (8, 2.0, 1.0),
        (8, -math.inf, 1.0),
        (8, -1.0, math.nan),
        (8, 1.0, 1.0 + 1e-12),
        (8, -1e38, 1e38),
    ],
)
def test_impossible_grids_are_refused(num_bins: int, minimum: Any, maximum: Any) -> None:
    """Too few or too many bins, and ranges that are empty or not finite, are errors of one line."""
    with pytest.raises(KolmogorovError, match=r"^Cannot make bins: expected .*, got .*\.$"):
        Bins(num_bins, minimum, maximum)


def test_nan_gives_some_valid_bin() -> None:
    """A NaN weight never points outside of the grid."""
    index = Bins(9, -1.0, 1.0).nearest(torch.tensor([math.nan, math.inf, -math.inf]))
    assert index.min() >= 0
    assert index.max() <= 8
