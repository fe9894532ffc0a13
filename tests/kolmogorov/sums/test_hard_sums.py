"""Hard bits by compiled loops are those of the code that counts weight by weight."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.kolmogorov import KolmogorovLoss, PerTensorPredictor, RowColumnPredictor
from bitfold.kolmogorov.sums.hard_sums import Coded


def shifted(size: float) -> nn.Module:
    """Return layers whose weights lie around a number other than 0, some far away."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(9, 7), nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 5, 2))
    with torch.no_grad():
        for number, item in enumerate(module.parameters()):
            item.normal_(0.2 * (number % 3), 0.05 * size)
        module.get_parameter("0.weight")[3, 2] = 40.0
        module.get_parameter("1.weight")[1] = 0.2
    return module


@pytest.mark.parametrize("predictor", [PerTensorPredictor, RowColumnPredictor])
@pytest.mark.parametrize("size", [0.3, 3.0])
def test_bits_are_the_sums_of_those_of_the_weights(predictor: Any, size: float) -> None:
    """Also where locations are not 0, lines are dead, and weights are out of range.

    The bits of single weights are rounded to float32.
    """
    loss = KolmogorovLoss(shifted(size), predictor=predictor(), weight_range=(-1.0, 1.0), bins=64)
    sent = loss.described.send_predictor(loss.predictor_bits)
    assert sent.scales is not None
    assert (sent.scales.locations != 0).any()
    items = loss.bits().items
    expected = sum(float(bits.double().sum()) for bits in loss.weight_bits().values())
    assert items["weights"] + items["out_of_range"] == pytest.approx(expected, rel=2.0**-24)


def test_weights_out_of_range_are_counted_in_learned_steps() -> None:
    """As `Bins.outside` finds them; weights that are not finite do not count."""
    module = shifted(1.0)
    loss = KolmogorovLoss(module, quantise="learned", bins=16)
    steps = loss.weight_range.steps(as_sent=True)
    assert steps is not None
    with torch.no_grad():
        weight = module.get_parameter("0.weight")
        weight[0, :4] = steps[0] * torch.tensor([7.0, 7.001, -8.0, -8.01])
        weight[1, :2] = torch.tensor([math.nan, math.inf])
    expected = 0
    for item, step in zip(module.parameters(), steps, strict=True):
        values = item[item.isfinite()] / step
        expected += int(((values < -8) | (values > 7)).sum())
    assert loss.num_out_of_range() == expected
    assert expected == 2


def test_small_tensors_are_read_together_and_large_ones_where_they_lie() -> None:
    """Stretches hold all tensors once, in order, and copy no large one."""
    module = nn.ModuleList([nn.Linear(3, 2), nn.Linear(300, 250), nn.Linear(2, 2)])
    loss = KolmogorovLoss(module, predictor=RowColumnPredictor())
    coded = Coded.of(loss.table, loss.weight_range, loss.predictor.table)  # type: ignore[arg-type] # scales
    assert coded is not None
    found = list(coded.stretches())
    assert [(first, stop) for *_, first, stop in found] == [(0, 2), (2, 3), (3, 6)]
    assert [len(part[0]) for part in found] == [8, 75_000, 256]
    large = module[1].get_parameter("weight")
    assert found[1][0].ctypes.data == large.data_ptr()
