"""Tests of the logarithms of bins' masses, against many digits and against scipy."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from bitfold.kolmogorov.sums.log_mass import DISTRIBUTIONS

SCALES = [1e-3, 1 / 32, 0.3, 1.0, 11.0, 1e3, 1e6]
DISTANCES = [0.0, 0.2, -0.499, 0.5, 0.501, -0.7, 1.5, -3.0, 100.25, -65_536.0]
SIDES = ["first", "inner", "last"]
DIGITS = 60


def cumulative(distribution: str, z: mpmath.mpf) -> mpmath.mpf:
    """Return the distribution function at z scales from the location."""
    if distribution == "logistic":
        return 1 / (1 + mpmath.exp(-z))
    return mpmath.exp(z) / 2 if z <= 0 else 1 - mpmath.exp(-z) / 2


def exact_log_mass(distribution: str, side: str, distance: float, scale: float) -> mpmath.mpf:
    """Return the log mass by differences in many digits."""
    distance, scale = mpmath.mpf(distance), mpmath.mpf(scale)
    if side == "inner":
        # Mirrored to the left, where the distribution function loses no digits near 1.
        low = -(abs(distance) + mpmath.mpf(1) / 2) / scale
        high = low + 1 / scale
        return mpmath.log(cumulative(distribution, high) - cumulative(distribution, low))
    outwards = distance if side == "last" else -distance
    return mpmath.log(cumulative(distribution, (mpmath.mpf(1) / 2 - outwards) / scale))


def log_masses(
    distribution: str, side: str, distance: Tensor | float, scale: Tensor | float
) -> Tensor:
    """Return the function under test, for bins of one kind."""
    distance, scale = (torch.as_tensor(item, dtype=torch.float64) for item in (distance, scale))
    flags = (torch.tensor(side == name) for name in ("first", "last"))
    return DISTRIBUTIONS[distribution](distance, scale, *flags)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_log_masses_are_right_to_12_digits(distribution: Any, side: Any) -> None:
    """Log masses are right from a thousandth of a bin to 65,536 bins away, where masses underflow.

    The logarithm of a mass near 1 is right to 1e-15.
    """
    with mpmath.workdps(DIGITS):
        for scale in SCALES:
            for distance in DISTANCES:
                expected = float(exact_log_mass(distribution, side, distance, scale))
                found = log_masses(distribution, side, distance, scale).item()
                case = f"{distance} {scale}"
                assert found == pytest.approx(expected, rel=1e-12, abs=1e-15), case


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_slopes_are_right_to_9_digits(distribution: Any, side: Any) -> None:
    """Slopes by distance and scale are right at 0, at a bin's edge and where the mass underflows.

    By distance to 1e-12 of the steepest slope, 1 / scale, and by scale to as much of the mean
    slope from scale 0, cost / scale: what is less is lost among larger terms.
    """
    with mpmath.workdps(DIGITS):
        for scale in SCALES:
            for distance in DISTANCES:
                leaves = torch.tensor([distance, scale], dtype=torch.float64, requires_grad=True)
                cost = log_masses(distribution, side, leaves[0], leaves[1])
                (found,) = torch.autograd.grad(cost, leaves)
                expected = [
                    float(mpmath.diff(lambda x, y: exact_log_mass(distribution, side, x, y),
                                      (mpmath.mpf(distance), mpmath.mpf(scale)), order))
                    for order in ((1, 0), (0, 1))
                ]  # fmt: skip
                allowed = [1e-12 / scale, 1e-12 * (1 + abs(cost.item())) / scale]
                for ours, exact, absolute in zip(found.tolist(), expected, allowed, strict=True):
                    case = f"{distance} {scale}"
                    assert ours == pytest.approx(exact, rel=1e-9, abs=absolute), case


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_masses_are_those_of_scipy(distribution: Any) -> None:
    """Masses equal SciPy's wherever SciPy's distribution functions keep their digits."""
    centres = np.linspace(-6, 6, 49)
    for scale in (0.4, 1.0, 5.0):
        model = getattr(scipy.stats, distribution)(scale=scale)
        expected = model.cdf(centres + 0.5) - model.cdf(centres - 0.5)
        found = log_masses(distribution, "inner", torch.from_numpy(centres), scale).exp()
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)
        found = log_masses(distribution, "first", torch.from_numpy(centres), scale).exp()
        np.testing.assert_allclose(found.numpy(), model.cdf(centres + 0.5), rtol=1e-9)
        found = log_masses(distribution, "last", torch.from_numpy(centres), scale).exp()
        np.testing.assert_allclose(found.numpy(), model.sf(centres - 0.5), rtol=1e-9)


@pytest.mark.parametrize("num_bins", [2, 3, 256, 65_536])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_masses_of_all_bins_add_up_to_one(distribution: Any, num_bins: int) -> None:
    """Masses add up to 1 for any scale and location: on a bin, on an edge or beyond the grid."""
    numbers = torch.arange(num_bins, dtype=torch.float64)
    for location in (0.0, 0.5, num_bins / 2 + 0.3, num_bins - 1.0, -7.5, num_bins + 40.0):
        for scale in SCALES:
            log_mass = DISTRIBUTIONS[distribution](
                numbers - location,
                torch.tensor(scale, dtype=torch.float64),
                numbers == 0,
                numbers == num_bins - 1,
            )
            assert (log_mass <= 0).all()
            assert log_mass.exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_single_precision_stays_finite_and_close(distribution: Any, side: Any) -> None:
    """In float32 every value and gradient is finite, and values agree with float64 to 1e-5."""
    sizes = torch.cat([torch.linspace(0, 4, 41), torch.logspace(0.7, math.log10(65_536), 40)])
    distances = torch.cat([-sizes, sizes]).unsqueeze(1)
    scales = torch.logspace(-3, 6, 91)
    leaves = [item.clone().requires_grad_() for item in (distances, scales)]
    flags = (torch.tensor(side == name) for name in ("first", "last"))
    found = DISTRIBUTIONS[distribution](*leaves, *flags)
    assert torch.isfinite(found).all()
    for gradient in torch.autograd.grad(found.sum(), leaves):
        assert torch.isfinite(gradient).all()
    exact = log_masses(distribution, side, distances.double(), scales.double())
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("edge", [-0.5, 0.5])
def test_a_location_may_cross_the_edge_of_a_bin(distribution: Any, edge: float) -> None:
    """Value and slope on both sides of a bin's edge, where the formula changes, are the same."""
    for scale in SCALES[1:]:
        results = []
        for distance in (edge * (1 - 1e-12), edge, edge * (1 + 1e-12)):
            leaf = torch.tensor(distance, dtype=torch.float64, requires_grad=True)
            cost = log_masses(distribution, "inner", leaf, scale)
            results.append([cost.item(), *torch.autograd.grad(cost, leaf)])
        for below, on, above in zip(*results, strict=True):
            assert float(below) == pytest.approx(float(on), rel=1e-6)
            assert float(above) == pytest.approx(float(on), rel=1e-6)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_bin_far_from_the_location_keeps_its_slope(distribution: Any) -> None:
    """However improbable a bin, its cost falls by 1 / scale for each bin towards the location."""
    distance = torch.tensor([-3000.0, 3000.0], requires_grad=True)
    log_mass = DISTRIBUTIONS[distribution](
        distance, torch.tensor(0.5), torch.tensor(False), torch.tensor(False)
    )
    assert (log_mass.exp() == 0).all()
    (slope,) = torch.autograd.grad(log_mass.sum(), distance)
    torch.testing.assert_close(slope, torch.tensor([2.0, -2.0]))
