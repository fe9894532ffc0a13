"""Tests of the soft targets' window against the softmax over all bins."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import SoftTargets


def all_shares(index: torch.Tensor, temperature: float, num_bins: int) -> torch.Tensor:
    """Return the softmax over all bins: (N, num_bins)."""
    every = torch.arange(num_bins, dtype=index.dtype)
    return torch.softmax(-(index.unsqueeze(1) - every).abs() / temperature, dim=1)


def spread(rows: Any, num_bins: int, values: torch.Tensor) -> torch.Tensor:
    """Scatter windowed values to all bins: (N, num_bins)."""
    full = torch.zeros(values.shape[1], num_bins, dtype=values.dtype)
    return full.scatter_(1, rows.bins.t(), values.t())


@given(
    num_bins=st.integers(2, 300),
    temperature=st.floats(0.01, 40),
    fraction=st.floats(0, 1),
    whole=st.booleans(),
)
def test_window_holds_all_but_a_billionth(
    num_bins: Any, temperature: Any, fraction: Any, whole: Any
) -> None:
    """The full softmax has at most 1e-9 of its mass outside of the window, at the ends as well."""
    place = fraction * (num_bins - 1)
    index = torch.tensor([round(place) if whole else place], dtype=torch.float64)
    targets = SoftTargets(temperature, num_bins)
    rows = targets.shares(index)
    full = all_shares(index, temperature, num_bins)
    inside = full.gather(1, rows.bins.t()).sum()
    assert 1 - inside <= 1e-9 + 1e-14
    torch.testing.assert_close(spread(rows, num_bins, rows.shares), full, rtol=0, atol=2e-9)


def test_bound_is_tight() -> None:
    """One bin less on each side would leave out more than a billionth."""
    targets = SoftTargets(2.0, 300)
    full = all_shares(torch.tensor([150.3], dtype=torch.float64), 2.0, 300)
    smaller = full[0, 150 - targets.reach + 2 : 150 + targets.reach].sum()
    assert 1 - smaller > 1e-9


@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.7, 3.0, 1000.0, 1e300])
@pytest.mark.parametrize("num_bins", [2, 3, 17, 100])
def test_slopes_are_the_derivative_of_the_shares(temperature: float, num_bins: int) -> None:
    """Slopes equal autograd's derivative of the softmax over all bins, also at the ends."""
    generator = torch.Generator().manual_seed(0)
    index = torch.rand(15, dtype=torch.float64, generator=generator) * (num_bins - 1)
    index[:3] = torch.tensor([0.0, num_bins - 1, num_bins // 2])
    targets = SoftTargets(temperature, num_bins)
    jacobian = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call] # torch leaves it untyped
        lambda place: all_shares(place, temperature, num_bins).sum(dim=0), index
    )
    rows = targets.shares(index)
    tolerance = 4e-9 / temperature
    torch.testing.assert_close(
        spread(rows, num_bins, rows.slopes).t(), jacobian, rtol=0, atol=tolerance
    )


def test_large_temperature_uses_all_bins_once() -> None:
    """A window is never larger than the grid."""
    targets = SoftTargets(50.0, 20)
    assert targets.window == 20
    rows = targets.shares(torch.tensor([0.0, 7.4, 19.0]))
    assert all(column.tolist() == list(range(20)) for column in rows.bins.t())


def test_nan_stays_in_valid_bins() -> None:
    """A NaN index gives NaN shares in bins that exist."""
    rows = SoftTargets(0.1, 20).shares(torch.tensor([math.nan]))
    assert rows.shares.isnan().all()
    assert rows.bins.min() >= 0
    assert rows.bins.max() < 20


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf, 1e-12])
def test_impossible_temperatures_are_refused(temperature: Any) -> None:
    """Temperatures that are not finite, not positive or below 1e-6 are refused."""
    with pytest.raises(KolmogorovError, match=r"^Cannot make soft targets: .*temperature > 0.*got"):
        SoftTargets(temperature, 16)
