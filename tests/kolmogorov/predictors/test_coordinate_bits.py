"""Bits of the coordinate predictor, computed in fixed point and not in floating point."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bitfold.entropy_coding.fixed_point.network import STEPS
from bitfold.entropy_coding.fixed_point.syntax import parameter_bits
from bitfold.kolmogorov import CoordinatePredictor, KolmogorovLoss
from bitfold.kolmogorov.description.bits import coded_weights
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from tests.model_file.plain_network import (
    coordinates,
    inputs_of,
    layers_of,
    masses,
    starts,
    symbols,
    tensors_of,
)


def plain_bits(loss: Any) -> Any:
    """Return each weight's bits under the sent predictor, one by one in plain Python."""
    predictor, table = loss.predictor, loss.table
    sent = predictor.sent(loss.predictor_bits)
    steps = sent.pop(STEPS).tolist()
    layers = layers_of(list(sent.values()), steps)
    owners = [table.module.get_submodule(name.rpartition(".")[0]) for name in table.names]
    placed = tensors_of(
        [
            (name, tuple(shape), isinstance(owner, nn.ConvTranspose2d) and len(shape) > 2)
            for name, shape, owner in zip(table.names, table.shapes, owners, strict=True)
        ]
    )
    inputs, bits = inputs_of(placed), []
    values = torch.split(loss._values(as_sent=True).double(), table.sizes)
    for number, of_tensor in enumerate(values):
        for index, value in enumerate(of_tensor.tolist()):
            found = coordinates(placed, number, index)
            of_bins = masses(layers, [found[i] for i in inputs])
            whole = round((value - loss.bins.minimum) / loss.bins.width)
            whole = min(max(whole, 0), loss.bins.num_bins - 1)
            groups, size = symbols(of_bins)
            frequencies = [np.diff(starts(groups))[whole // size]]
            if size > 1:
                first = whole // size * size
                frequencies.append(np.diff(starts(of_bins[first : first + size]))[whole - first])
            bits.append(sum(16 - math.log2(frequency) for frequency in frequencies))
    return bits


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("weight_range", "bins", "precision"),
    [("auto", 16, 8), ((-0.6, 0.5), 33, 3), ((-0.6, 0.5), 2, 32), ("auto", 1030, 5)],
)
def test_the_bits_of_weights_are_those_of_plain_python(
    dtype: Any, weight_range: Any, bins: int, precision: int
) -> None:
    """For tensors of all shapes, ranges and dtypes, the bits are those of plain Python."""
    torch.manual_seed(1)
    layers = [nn.Linear(2, 3), nn.ConvTranspose2d(2, 3, (1, 2))]
    if bins < 1000:
        layers += [nn.Conv2d(3, 5, 3), nn.BatchNorm1d(5), nn.Linear(1, 3), nn.Embedding(9, 4)]
    module = nn.ModuleList(layers).to(dtype)
    loss = KolmogorovLoss(
        module,
        predictor=CoordinatePredictor((3, 2)),
        bins=bins,
        weight_range=weight_range,
        predictor_bits=precision,
        generator=torch.Generator().manual_seed(0),
    )
    with torch.no_grad():
        for item in loss.predictor.parameters():
            item.mul_(4)
    expected = plain_bits(loss)
    assert loss.bits().items["weights"] == pytest.approx(sum(expected), rel=1e-9)
    rows = loss.report().rows
    escapes = loss.bits().items["out_of_range"]
    assert sum(row.bits for row in rows) == pytest.approx(sum(expected) + escapes, rel=1e-9)


@pytest.mark.parametrize("bins", [16, 256, 1024, 4096])
def test_fixed_point_takes_what_floating_point_takes(bins: int) -> None:
    """The floating-point K of training is within half a per cent of the file's bits."""
    torch.manual_seed(0)
    module = nn.Linear(30, 20)
    loss = KolmogorovLoss(
        module, predictor="coordinate", bins=bins, weight_range=(-0.3, 0.3), predictor_bits=16
    )
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    places, values = loss.subsampling.all_weights(), loss._values(as_sent=True)
    floating, _ = WeightPredictor.hard_bits(loss.predictor, places, values, None)
    fixed, _ = loss.predictor.hard_bits(places, values, loss.predictor.sent(16))
    assert float(fixed.sum()) == pytest.approx(float(floating.sum()), rel=0.005)
    assert not torch.equal(fixed, floating)


@pytest.mark.parametrize("weight_range", ["auto", (-1.0, 1.0)])
def test_parameters_that_are_not_finite_have_no_finite_bits(weight_range: Any) -> None:
    """If the predictor's parameters diverge, the bits of the weights are not finite."""
    module = nn.Linear(3, 2)
    loss = KolmogorovLoss(module, predictor="coordinate", bins=8, weight_range=weight_range)
    assert math.isfinite(loss.bits().total)
    with torch.no_grad():
        loss.predictor.get_parameter("head.bias")[0] = math.nan
    assert math.isnan(loss.bits().items["weights"])


def test_the_predictor_takes_the_same_bits_whatever_it_has_learned(
    make_loss: Callable[..., KolmogorovLoss],
) -> None:
    """The predictor's own bits depend on its precision and not on its learned values."""
    taken = {bits: make_loss(predictor_bits=bits) for bits in (2, 8, 16, 32)}
    sizes = [item.numel() for item in taken[2].predictor.parameters()]
    bits = {precision: loss.bits().items["predictor"] for precision, loss in taken.items()}
    shape = bits[2] - parameter_bits(sizes, 2)
    assert 0 < shape < 40
    for precision in (8, 16):
        assert bits[precision] - bits[2] == (precision - 2) * sum(sizes)
    assert bits[32] == bits[16]
    with torch.no_grad():
        taken[8].predictor.get_parameter("head.weight")[:, 1:] *= 0.1
    assert taken[8].bits().items["predictor"] == bits[8]


@pytest.mark.parametrize("bins", [2, 17, 256, 1030])
@pytest.mark.parametrize("odd", [None, 1e38, -1e20, math.nan, math.inf])
@pytest.mark.parametrize("limits", [(-0.3, 0.35), (-3.0, 3.0)])
def test_one_call_for_all_tensors_counts_what_is_counted_weight_by_weight(
    bins: int, odd: float | None, limits: tuple[float, float]
) -> None:
    """The sums are equal to the last bit, with weights in, beyond and at the ends of the range."""
    torch.manual_seed(bins)
    module = nn.Sequential(nn.Linear(7, 9), nn.Linear(9, 2))
    predictor = CoordinatePredictor((3, 2))
    loss = KolmogorovLoss(module, predictor=predictor, bins=bins, weight_range=limits)
    with torch.no_grad():
        for item in predictor.parameters():
            item.mul_(3)
        if odd is not None:
            module[0].get_parameter("weight")[0, 0] = odd
    described, places = loss.described, loss.subsampling.all_weights()
    as_sent = described.send_predictor(loss.predictor_bits)
    found = predictor.total_bits(described.table, described.weight_range, as_sent, places)
    one_by_one = coded_weights(described, as_sent, places)
    expected = (float(one_by_one.bits.sum()), float(one_by_one.escapes.sum()))
    assert found == pytest.approx(expected, rel=0, abs=0, nan_ok=True)
