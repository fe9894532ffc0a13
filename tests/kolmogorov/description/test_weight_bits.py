"""The cost of each weight, and the mass of each value."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bitfold.kolmogorov import PREDICTORS, KolmogorovLoss
from bitfold.kolmogorov.description.predicted_masses import predicted_masses


def make() -> nn.Module:
    """Return two layers with zeros and a weight far out of range."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        module.get_parameter("0.weight")[0] = 0
        module.get_parameter("2.weight")[1, 1] = 40.0
    return module


def masses_of(loss: KolmogorovLoss, most_values: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the masses of all weights under the predictor as sent."""
    as_sent = loss.described.send_predictor(loss.predictor_bits)
    return predicted_masses(loss.described, as_sent, loss.subsampling.all_weights(), most_values)


@pytest.mark.parametrize("weight_range", ["auto", (-0.5, 0.5)])
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_the_costs_of_weights_add_up_to_the_bits(predictor: Any, weight_range: Any) -> None:
    """The costs, with escape codes and in the parameters' shapes, add up to the bits."""
    module = make()
    loss = KolmogorovLoss(module, predictor=predictor, weight_range=weight_range, bins=15)
    costs, items = loss.weight_bits(), loss.bits().items
    assert {n: c.shape for n, c in costs.items()} == {
        n: p.shape for n, p in module.named_parameters()
    }
    total = sum(float(cost.double().sum()) for cost in costs.values())
    assert total == pytest.approx(items["weights"] + items["out_of_range"], rel=1e-6)
    if weight_range != "auto":  # an "auto" range reaches as far as the weights
        assert costs["2.weight"][1, 1] == max(cost.max() for cost in costs.values())


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_masses_are_the_costs_of_each_value(predictor: Any) -> None:
    """A weight that is moved to a value costs minus the logarithm of that value's mass."""
    module = nn.Linear(3, 4)
    with torch.no_grad():
        module.weight.copy_(torch.linspace(-0.4, 0.4, 12).reshape(4, 3))
        module.bias.zero_()
    loss = KolmogorovLoss(module, predictor=predictor, weight_range=(-0.5, 0.5), bins=11)
    values, counts, masses = masses_of(loss, 129)
    assert counts.sum() == 16
    assert (values.diff() > 0).all()
    as_sent = loss.described.send_predictor(loss.predictor_bits)
    subset = loss.subsampling.all_weights()
    costs = torch.cat([cost.flatten() for cost in loss.weight_bits().values()])
    zeros = float((module.bias == 0).sum() if bool((costs[-4:] == 0).all()) else 0)
    for value, mass in zip(values, masses, strict=True):
        bits, _ = loss.predictor.hard_bits(subset, value.expand(16), as_sent.parameters)
        of_others = sum(2.0 ** -float(b) for b in (bits[:12] if zeros else bits))
        certain = zeros if abs(float(value)) < 1e-6 else 0.0
        assert float(mass) == pytest.approx(of_others + certain, rel=1e-9)
    assert float(masses.sum()) <= 16 + 1e-9


def test_at_most_so_many_values_are_compared() -> None:
    """At most the given number of values is compared, from the middle of the weights."""
    module = nn.Linear(30, 30)
    loss = KolmogorovLoss(module, weight_range=(-0.5, 0.5), bins=256)
    values, _, _ = masses_of(loss, 9)
    assert len(values) == 9
    assert abs(float(values.mean())) < 0.1
