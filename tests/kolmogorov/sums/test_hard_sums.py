"""Compiled loops count the same bins and bits as the reference in PyTorch."""

import math

import pytest
import torch
from torch import Tensor, nn

from bitfold.kolmogorov import KolmogorovLoss, PerTensorPredictor, RowColumnPredictor
from bitfold.kolmogorov.description.bits import coded_weights
from bitfold.kolmogorov.grid.bin_numbers import numbers_of_tensor, numbers_of_weights
from bitfold.kolmogorov.predictors.laplace_logistic import ScalePredictor

RANGES = {
    "learned": {"weight_range": "auto", "bins": 33},
    "even": {"weight_range": (-0.3, 0.7), "bins": 64},
    "odd": {"weight_range": (-0.5, 0.5), "bins": 7},
    "without 0": {"weight_range": (0.2, 0.4), "bins": 30},
    "task": {"quantise": "learned"},
}


def odd_module() -> nn.Module:
    """Return tensors in all memory orders, with halves, far, huge and dead weights."""
    torch.manual_seed(0)
    module = nn.ModuleList(
        [nn.Linear(9, 12), nn.Conv2d(3, 5, 3), nn.ConvTranspose2d(4, 6, 2), nn.Linear(200, 90)]
    )
    with torch.no_grad():
        weight = module.get_parameter("0.weight")
        weight[2] = 0
        weight[:, 4] = 0
        weight[0, :4] = torch.tensor([3e38, -1e30, 0.05, 1e-42])
        module.get_parameter("1.bias").zero_()
        # Weights halfway between bins of the ranges above, which are rounded to even.
        module.get_parameter("3.weight")[0] = torch.arange(200) / 12 - 9 + 1 / 24
    return module


@pytest.mark.parametrize("name", RANGES)
def test_bin_numbers_are_the_references_to_the_last_one(name: str) -> None:
    """Loops and reference give equal bin numbers for halves, far and huge weights."""
    module = odd_module()
    loss = KolmogorovLoss(module, predictor="row_column", **RANGES[name])  # type: ignore[arg-type]
    with torch.no_grad():
        module.get_parameter("2.bias")[:3] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    weights, subset = loss.table.values(), loss.table.all_weights()
    expected = numbers_of_weights(weights, loss.weight_range, subset)
    found = [
        torch.cat(list(numbers_of_tensor(loss.table, loss.weight_range, number)))
        for number in range(len(loss.table.names))
    ]
    are_finite = weights.isfinite()
    assert torch.equal(torch.cat(found)[are_finite], expected[are_finite])


def reference_bits(loss: KolmogorovLoss) -> tuple[Tensor, list[Tensor]]:
    """Return the bits of each tensor, weight by weight in PyTorch, with escapes."""
    described, subset = loss.described, loss.table.all_weights()
    coded = coded_weights(described, described.send_predictor(loss.predictor_bits), subset)
    both = torch.stack([coded.bits, coded.escapes])
    return both.sum(1), [both[:, part].sum(1) for *_, part in subset.pieces()]


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("distribution", ["laplace", "logistic"])
@pytest.mark.parametrize("kind", [RowColumnPredictor, PerTensorPredictor])
def test_bits_of_all_weights_are_those_of_each_together(
    kind: type[ScalePredictor], distribution: str, name: str
) -> None:
    """Items of `bits()` and rows of `report()` equal the reference up to the rounding of sums."""
    predictor = kind(distribution, is_centred=name == "task")
    module = odd_module()
    loss = KolmogorovLoss(module, predictor=predictor, **RANGES[name])  # type: ignore[arg-type]
    (bits, escapes), by_tensor = reference_bits(loss)
    items = loss.bits().items
    assert items["weights"] == pytest.approx(float(bits), rel=1e-9)
    assert items["out_of_range"] == pytest.approx(float(escapes), rel=1e-9)
    assert escapes > 0
    for row, expected in zip(loss.report().rows, by_tensor, strict=True):
        assert row.bits == pytest.approx(float(expected.sum()), rel=1e-9, abs=1e-9)


def test_a_weight_that_is_not_finite_makes_its_tensors_bits_nan() -> None:
    """A weight that is not finite makes the bits of its own tensor NaN, and no other's."""
    module = odd_module()
    loss = KolmogorovLoss(module, predictor="row_column")
    with torch.no_grad():
        module.get_parameter("1.weight")[0, 0, 0, 0] = torch.inf
    assert math.isnan(loss.bits().total)
    assert [math.isnan(row.bits) for row in loss.report().rows] == [n == 2 for n in range(8)]
