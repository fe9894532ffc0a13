"""Tests of the report by tensor, against the bits and a count by hand."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.kolmogorov import KINDS, PREDICTORS, KolmogorovLoss
from tests.kolmogorov.narrowing import learned_range


def make() -> nn.Module:
    """Return a network with zeros and far weights at known positions."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv1d(2, 3, 2), nn.ReLU(), nn.Linear(4, 2), nn.LayerNorm(2))
    with torch.no_grad():
        module.get_parameter("0.weight")[:, 0] = 0
        module.get_parameter("2.weight")[1, 1:3] = 0
        module.get_parameter("2.bias")[1] = 1e-9
    return module


@pytest.mark.parametrize("weight_range", ["auto", (-0.5, 0.5)])
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_rows_add_up_to_the_bits(predictor: Any, weight_range: Any) -> None:
    """The rows add up to the bits of weights and escapes, and each row counts its tensor."""
    module = make()
    loss = KolmogorovLoss(module, predictor=predictor, weight_range=weight_range, bins=15)
    with torch.no_grad():
        module.get_parameter("2.weight")[0, 0] = 40.0
    report, items = loss.report(), loss.bits().items
    assert [row.name for row in report.rows] == list(loss.table.names)
    assert report.total.bits == pytest.approx(items["weights"] + items["out_of_range"], rel=1e-12)
    assert report.total.num_weights == loss.num_weights
    assert report.total.bits_per_weight == report.total.bits / loss.num_weights
    for row in report.rows:
        assert row.bits_per_weight == row.bits / row.num_weights


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_tensor_has_the_bits_that_others_leave(kind: Any) -> None:
    """Moving one tensor's weights to other bins changes only that tensor's row."""
    module = make()
    loss = KolmogorovLoss(module, predictor="coordinate", kind=kind, weight_range=(-1.0, 1.0))
    before = loss.report()
    with torch.no_grad():
        module.get_parameter("2.weight").add_(0.3)
    changed = [
        row.name
        for row, old in zip(loss.report().rows, before.rows, strict=True)
        if row.bits != old.bits
    ]
    # The variance of mse is that of all residuals together.
    assert changed == (list(loss.table.names) if kind == "mse" else ["2.weight"])


def test_zeros_and_far_weights_are_counted_where_they_are() -> None:
    """Weights that round to 0 count as zeros, and the sent steps decide what is out of range."""
    module = make()
    loss = KolmogorovLoss(module, bins=31)
    steps = learned_range(loss).steps(as_sent=True)
    with torch.no_grad():
        module.get_parameter("3.weight")[0] = 15.001 * steps[4]
        module.get_parameter("3.weight")[1] = -15.001 * steps[4]
        module.get_parameter("3.bias")[0] = 15 * steps[5]
    rows = {row.name: row for row in loss.report().rows}
    decoded = loss.decoded_state()
    for name, row in rows.items():
        assert row.num_zeros == (decoded[name] == 0).sum()
    assert rows["0.weight"].num_zeros >= 6
    assert rows["2.weight"].num_zeros >= 2
    assert rows["2.bias"].num_zeros >= 1
    assert {name: row.num_out_of_range for name, row in rows.items() if row.num_out_of_range} == {
        "3.weight": 2
    }
    assert loss.num_out_of_range() == 2
    assert loss.out_of_range_count().dtype == torch.int64


def test_report_is_a_table() -> None:
    """The report has a head, a line for each tensor and one for the total, of equal length."""
    lines = str(KolmogorovLoss(make()).report()).splitlines()
    assert len(lines) == 1 + 6 + 1
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].split()[0] == "total"


def test_nan_shows_in_its_row_alone() -> None:
    """A NaN weight makes the bits of its tensor and of the total NaN."""
    module = make()
    loss = KolmogorovLoss(module)
    with torch.no_grad():
        module.get_parameter("0.bias")[0] = math.nan
    report = loss.report()
    assert [row.name for row in report.rows if math.isnan(row.bits)] == ["0.bias"]
    assert math.isnan(report.total.bits)
