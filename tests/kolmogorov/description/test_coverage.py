"""Tests of the gradient coverage against a slow count."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.kolmogorov import KolmogorovLoss, WeightPredictor
from bitfold.kolmogorov.description.coverage import MOST_WEIGHTS


class Smooth(WeightPredictor):
    """A Gaussian over the grid, with its peak between the ends, or a rugged distribution."""

    def __init__(self, ruggedness: float = 0.0) -> None:
        super().__init__()
        self.ruggedness = ruggedness

    def attach(self, layout: Any, bins: Any, generator: Any) -> None:
        """Make the logits."""
        super().attach(layout, bins, generator)
        place = torch.linspace(-1, 1, bins.num_bins, dtype=torch.float64)
        noise = torch.randn(bins.num_bins, generator=torch.Generator().manual_seed(0))
        self.logits = nn.Parameter(-8 * (place - 0.1).square() + self.ruggedness * noise)

    def forward(self, subset: Any, indices: Any) -> Any:
        """Return the softmax of the logits."""
        return -self.logits.log_softmax(0)[indices]


def normal_weights(count: int, scale: float = 1.0) -> nn.ParameterList:
    """Return a module of normal weights in float64."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(count, generator=generator, dtype=torch.float64)
    return nn.ParameterList([scale * values])


def loss_of(module: nn.Module, predictor: WeightPredictor, **settings: Any) -> KolmogorovLoss:
    """Return a loss over 256 bins from -4 to 4."""
    generator = torch.Generator().manual_seed(0)
    usual: dict[str, Any] = {"weight_range": (-4.0, 4.0), "generator": generator}
    return KolmogorovLoss(module, predictor=predictor, **usual | settings)


@pytest.mark.parametrize(
    ("temperature", "expected"), [(0.01, 0.076), (0.1, 0.53), (0.25, 1.0), (0.5, 1.0), (1.0, 1.0)]
)
def test_soft_targets_of_normal_weights(temperature: float, expected: float) -> None:
    """At T = 0.1, 47 % of 20,000 weights get under a tenth of the slope; at T = 0.25 none do."""
    loss = loss_of(normal_weights(20_000), Smooth(), targets="soft", temperature=temperature)
    assert loss.gradient_coverage() == pytest.approx(expected, abs=0.01)


def test_other_targets_of_normal_weights() -> None:
    """Linear targets cover all weights, hard targets none, and noise nearly all where the cost is
    smooth.
    """
    module = normal_weights(20_000)
    coverage = {
        name: loss_of(module, Smooth(), targets=name).gradient_coverage()
        for name in ("linear", "hard", "noise")
    }
    assert coverage["linear"] == 1.0
    assert coverage["hard"] == 0.0
    assert coverage["noise"] > 0.98


@pytest.mark.parametrize("ruggedness", [0.0, 1.0])
@pytest.mark.parametrize("temperature", [0.02, 0.1, 0.25, 2.0])
def test_coverage_is_that_of_a_slow_count(ruggedness: float, temperature: float) -> None:
    """The coverage equals that of each weight's slope by autograd against its two bins' costs."""
    module = normal_weights(300, scale=2.0)
    loss = loss_of(module, Smooth(ruggedness), targets="soft", temperature=temperature, bins=32)
    costs = -loss.predictor.get_parameter("logits").detach().log_softmax(0)
    covered = counted = 0
    for weight in module[0].tolist():
        c = torch.tensor((weight + 4) / 8 * 31, dtype=torch.float64, requires_grad=True)
        if not 0 <= c <= 31:
            continue
        shares = torch.softmax(-(c - torch.arange(32)).abs() / temperature, 0)
        (slope,) = torch.autograd.grad((shares * costs).sum(), c)
        true = costs[int(c) + 1] - costs[int(c)]
        counted += 1
        covered += bool(slope * true.sign() >= 0.1 * true.abs())
    assert 0 < loss.num_out_of_range() == 300 - counted
    assert loss.gradient_coverage() == pytest.approx(covered / counted, abs=1e-9)


def test_many_weights_are_looked_at_evenly() -> None:
    """Of too many weights, coverage measures an even selection from the first to the last."""
    # A third lies on a bin, where T = 0.1 gives almost no slope; the others lie halfway.
    width = 8 / 255
    on_bins = torch.full((MOST_WEIGHTS,), -4 + 100 * width, dtype=torch.float64)
    module = nn.ParameterList([torch.cat([on_bins, on_bins + width / 2, on_bins + width / 2])])
    loss = loss_of(module, Smooth(), targets="soft", temperature=0.1)
    assert loss.gradient_coverage() == pytest.approx(2 / 3, abs=1e-4)


def test_coverage_is_the_same_when_asked_again() -> None:
    """Measuring coverage does not change the noise of later steps, and the loss can still be
    copied.
    """
    loss = loss_of(normal_weights(500), Smooth(ruggedness=1.0), targets="noise")
    found = {loss.gradient_coverage() for _ in range(3)}
    assert len(found) == 1
    assert copy.deepcopy(loss).gradient_coverage() in found
    assert loss.counter is not None
    assert loss.counter.steps == 0


def test_weights_without_a_true_slope_are_not_counted() -> None:
    """Under a flat distribution no weight has a true slope, and the coverage is NaN."""

    class Flat(Smooth):
        def forward(self, subset: Any, indices: Any) -> Any:
            return torch.full(indices.shape, math.log(256), dtype=torch.float64)

    assert math.isnan(loss_of(normal_weights(20), Flat()).gradient_coverage())


@pytest.mark.parametrize("kind", ["mse", "gaussian_nll", "laplacian_nll"])
def test_densities_have_the_slope_they_have(kind: str) -> None:
    """Predictors that compare a density with the weight itself have a coverage of 1."""
    loss = KolmogorovLoss(nn.Linear(3, 3), predictor="coordinate", kind=kind, targets="soft")
    assert loss.gradient_coverage() == 1.0
