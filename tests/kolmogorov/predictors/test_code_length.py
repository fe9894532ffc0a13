"""Tests of the densities' code lengths and of the masses that their hard bits come from."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from scipy import stats

from bitfold.kolmogorov import KINDS, Bins, CodeLength, Prediction, SoftTargets
from tests.kolmogorov.narrowing import gradient_of

BINS = Bins(33, -2.0, 2.0)
TARGETS = SoftTargets(0.1, BINS.num_bins)


def constant_prediction(outputs: list[float], num_weights: int) -> Prediction:
    """Return the same prediction for every weight."""
    hidden = torch.zeros(num_weights, 1, dtype=torch.float64)
    bias = torch.tensor(outputs, dtype=torch.float64)
    return Prediction(hidden, torch.zeros(len(outputs), 1, dtype=torch.float64), bias)


def code_length(kind: str) -> CodeLength:
    """Return the code length of a kind over BINS."""
    return KINDS[kind](BINS)


DENSITIES: dict[str, Callable[[float, float], Any]] = {
    "gaussian_nll": lambda location, raw: stats.norm(
        location, math.sqrt(math.exp(raw) + (BINS.width / 2) ** 2)
    ),
    "laplacian_nll": lambda location, raw: stats.laplace(location, math.exp(raw) + BINS.width / 2),
}


@pytest.mark.parametrize("kind", list(DENSITIES))
@pytest.mark.parametrize("raw", [-60.0, -2.0, 0.0, 1.5])
def test_density_kinds_are_densities_times_the_width(kind: Any, raw: float) -> None:
    """The cost is minus the logarithm of SciPy's density times the width of a bin."""
    weights = torch.linspace(-2, 2, 41, dtype=torch.float64)
    expected = -(DENSITIES[kind](0.3, raw).logpdf(weights.numpy()) + math.log(BINS.width)).sum()
    found = code_length(kind).summed_nats(weights, constant_prediction([0.3, raw], 41), TARGETS)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_a_weight_on_the_location_of_a_laplacian_stays() -> None:
    """At the kink of a Laplacian's density the slopes by weight and location are 0."""
    weights = torch.tensor([-1.0, 0.25, 1.0], dtype=torch.float64, requires_grad=True)
    prediction = constant_prediction([0.25, 0.0], 3)
    prediction.bias.requires_grad_()
    nats = code_length("laplacian_nll").summed_nats(weights, prediction, TARGETS)
    by_weight, by_bias = torch.autograd.grad(nats, [weights, prediction.bias])
    steep = 1 / (1 + BINS.width / 2)
    torch.testing.assert_close(by_weight, torch.tensor([-steep, 0.0, steep], dtype=torch.float64))
    assert by_bias[0].item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("kind", list(DENSITIES))
@pytest.mark.parametrize("raw", [-60.0, -2.0, 0.0, 1.5])
@pytest.mark.parametrize("location", [-9.0, 0.3, 2.0])
def test_bins_have_the_probability_between_their_borders(
    kind: Any, raw: float, location: float
) -> None:
    """Hard costs are SciPy's probability of the bin, tails in the edge bins, plus an even share."""
    density = DENSITIES[kind](location, raw)
    every = torch.arange(33)
    borders = BINS.centres(every, torch.float64).numpy()[:-1] + BINS.width / 2
    edges = [-math.inf, *borders, math.inf]
    masses = [density.cdf(b) - density.cdf(a) for a, b in pairwise(edges)]
    expected = [-math.log((1 - 2**-16) * mass + 2**-16 / 33) for mass in masses]
    found = code_length(kind).bin_nats(every, constant_prediction([location, raw], 33))
    assert found.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_decoder_exists(kind: Any) -> None:
    """The probabilities that hard costs imply add up to one, none of them zero."""
    length = code_length(kind)
    outputs = torch.linspace(-3, 5, length.num_outputs).tolist()
    if kind == "mse":
        scale = BINS.centres(torch.arange(33), torch.float64).sub(outputs[0]).square().mean().sqrt()
        assert scale > BINS.width / 2
    costs = length.bin_nats(torch.arange(33), constant_prediction(outputs, 33))
    assert costs.isfinite().all()
    assert torch.exp(-costs).sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("kind", list(DENSITIES))
def test_scale_is_at_least_half_a_bin_and_keeps_its_gradient(kind: Any) -> None:
    """The smallest scale keeps the cost above 0 and still has a gradient."""
    weights = torch.zeros(4, dtype=torch.float64)
    prediction = constant_prediction([0.0, -300.0], 4)
    assert code_length(kind).summed_nats(weights, prediction, TARGETS) >= 0
    bias = torch.tensor([1.0, -3.0], dtype=torch.float64, requires_grad=True)
    nats = code_length(kind).summed_nats(weights, prediction._replace(bias=bias), TARGETS)
    nats.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert gradient_of(bias)[1] < 0


@pytest.mark.parametrize(
    ("kind", "smallest", "two_bins"),
    [("gaussian_nll", (0.80, 0.68), 0.010), ("laplacian_nll", (1.00, 0.63), 0.13)],
)
def test_documented_differences_between_density_and_mass(
    kind: str, smallest: Any, two_bins: float
) -> None:
    """Density times width and the true mass at the centre differ by the numbers in the
    docstrings.
    """
    length, zero_bin = code_length(kind), torch.tensor([16])
    weight = torch.zeros(1, dtype=torch.float64)
    # Added to the floor, this gives a scale of two bins.
    wide = math.log(3.75 * BINS.width**2) if kind == "gaussian_nll" else math.log(1.5 * BINS.width)
    figures = []
    for raw in (-300.0, wide):
        prediction = constant_prediction([0.0, raw], 1)
        smooth = math.exp(-length.summed_nats(weight, prediction, TARGETS))
        figures.append((smooth, math.exp(-length.bin_nats(zero_bin, prediction))))
    assert figures[0] == pytest.approx(smallest, abs=0.005)
    assert figures[1][0] / figures[1][1] - 1 == pytest.approx(two_bins, rel=0.06)
