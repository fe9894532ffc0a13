"""Tests of sent scales: dead rows and columns, bits, and the fit."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bitfold.entropy_coding.scales.whole_scales import ALIVE, DEAD
from bitfold.kolmogorov import (
    KolmogorovLoss,
    RowColumnPredictor,
    SentPredictor,
    fit_predictor,
)
from bitfold.kolmogorov.grid.bin_numbers import numbers_of_tensor
from bitfold.kolmogorov.predictors.laplace_logistic import ScalePredictor
from bitfold.kolmogorov.predictors.scale_quantisation import quantise_scales
from tests.kolmogorov.narrowing import learned_range

OCTAVE = math.log(2)


def sparse_loss(**settings: Any) -> KolmogorovLoss:
    """Return a loss of two layers in which rows, columns and a whole vector are 0."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(30, 20), nn.Linear(20, 5))
    loss = KolmogorovLoss(module, quantise="learned", **settings)
    with torch.no_grad():
        learned_range(loss).log_steps.sub_(1.5)
        module.get_parameter("0.weight")[:, 10:].zero_()
        module.get_parameter("0.weight")[12:].zero_()
        module.get_parameter("1.weight")[:, 12:].zero_()
        module.get_parameter("1.bias").zero_()
    fit_predictor(loss)
    return loss


def sent_of(loss: KolmogorovLoss) -> SentPredictor:
    """Return the loss's predictor as a decoder reads it."""
    return loss.described.send_predictor(loss.predictor_bits)


def dead_of(loss: KolmogorovLoss) -> dict[str, Tensor]:
    """Return whether each weight is left out, by the parameter's name."""
    subset = loss.subsampling.all_weights()
    assert isinstance(loss.predictor, ScalePredictor)
    scales = loss.predictor.sent_scales(subset, sent_of(loss).parameters)
    return {name: item.bool() for name, item in loss.table.split((scales < ALIVE).float()).items()}


def test_dead_weights_take_nothing() -> None:
    """Rows, columns and tensors of zeros are left out; one other weight makes its row and column
    coded.
    """
    loss = sparse_loss()
    dead = dead_of(loss)
    assert dead["0.weight"][:12, :10].sum() == 0
    assert dead["0.weight"].sum() == 600 - 120
    assert bool(dead["1.bias"].all())
    assert dead["0.bias"].sum() == 0
    rows = {row.name: row for row in loss.report().rows}
    assert rows["1.bias"].bits == 0
    before = loss.bits()
    with torch.no_grad():
        loss.table.module.get_parameter("0.weight")[15, 3] = 1.0
    after = loss.bits()
    assert not dead_of(loss)["0.weight"][15, :10].any()
    assert after.items["weights"] > before.items["weights"]
    assert after.items["predictor"] > before.items["predictor"]


def test_bits_are_those_of_the_parts() -> None:
    """The predictor's item is the size of its symbols; the weights' item is -log2 of the masses."""
    loss = sparse_loss()
    sent = sent_of(loss)
    assert loss.bits().items["predictor"] == sent.bits
    rows, columns = sent.parameters["row_log_scale"], sent.parameters["column_log_scale"]
    step = learned_range(loss).steps(as_sent=True)[0]
    numbers = (loss.table.module.get_parameter("0.weight") / step).round()[:12, :10].detach()
    scale = 2 ** ((sent.parameters["log_scale"][0] + rows[:12, None] + columns[None, :10]) / 8)
    laplace = torch.distributions.Laplace(0.0, scale.double() + 1 / 32)
    cdf: Callable[[Tensor], Tensor] = laplace.cdf
    masses = cdf(numbers + 0.5) - cdf(numbers - 0.5)
    # Frequencies are whole 2^16ths, and far values are escaped.
    assert loss.report().rows[0].bits == pytest.approx(-masses.log2().sum().item(), rel=2e-3)


def test_what_is_sent_is_whole_exponents() -> None:
    """Exponents are eighths of octaves for tensors and octaves for rows and columns."""
    loss = sparse_loss()
    with torch.no_grad():
        for item in loss.predictor.parameters():
            item.normal_()
    before = {name: item.clone() for name, item in loss.predictor.named_parameters()}
    assert isinstance(loss.predictor, ScalePredictor)
    learned = loss.predictor.learned_scales()
    whole = quantise_scales(learned, loss.table, loss.weight_range, loss.predictor_bits)
    for scale in whole.of_tensors(learned.sides):
        for lines in scale.lines:
            assert lines.unit == 3
            assert (lines.exponents % 8 == 0).all()
    # The fit leaves the predictor itself unchanged.
    for name, item in loss.predictor.named_parameters():
        assert torch.equal(item, before[name])


def test_all_shapes_are_coded(make_scale_loss: Callable[..., KolmogorovLoss]) -> None:
    """Scales of kernels, transposed kernels, embeddings and single rows and columns are coded."""
    loss = make_scale_loss(RowColumnPredictor(is_centred=True), quantise="learned")
    with torch.no_grad():
        for item in loss.table.parameters:
            if item.ndim > 2:
                item[1].zero_()
                item[:, 2].zero_()
    dead = dead_of(loss)
    numbers = loss.decoded_state()
    for name, is_dead in dead.items():
        assert not numbers[name][is_dead].any()
        if is_dead.ndim > 2:
            assert bool(is_dead[1].all())
            assert bool(is_dead[:, 2].all())
    before = loss.bits().total
    fit_predictor(loss)
    assert math.isfinite(loss.bits().total)
    assert loss.bits().total < before


def test_fitting_finds_no_worse_than_single_changes() -> None:
    """Moving a fitted exponent by one makes the description hardly shorter."""
    loss = sparse_loss()
    best = loss.bits().total
    for name in ("row_log_scale", "column_log_scale"):
        factors = dict(loss.predictor.named_parameters())[name]
        for number in range(10):
            for move in (-OCTAVE, OCTAVE):
                with torch.no_grad():
                    factors[number] += move
                assert loss.bits().total > best - 3
                with torch.no_grad():
                    factors[number] -= move


def test_a_tensor_of_nothing_but_zeros_and_weights_not_finite() -> None:
    """A network of zeros takes one bit for each tensor and one for locations; NaN makes the bits
    NaN.
    """
    module = nn.Linear(6, 4)
    loss = KolmogorovLoss(module, quantise="learned")
    with torch.no_grad():
        module.weight.zero_()
        module.bias.zero_()
    fit_predictor(loss)
    assert loss.bits().items["predictor"] == 3
    assert loss.bits().items["weights"] == 0
    with torch.no_grad():
        module.weight[1, 1] = math.nan
    assert math.isnan(loss.bits().total)


@pytest.mark.parametrize("quantise", ["learned", None])
def test_lines_are_dead_where_all_their_weights_are_the_location(quantise: Any) -> None:
    """Rows and columns of any layer are dead exactly where each weight has the location's bin."""
    torch.manual_seed(1)
    layers: list[Any] = [
        nn.Conv2d(3, 5, 3),
        nn.ConvTranspose2d(5, 4, 2),
        nn.ConvTranspose2d(4, 6, 3, groups=2),
        nn.Linear(6, 7),
        nn.Embedding(9, 4),
    ]
    module = nn.ModuleList(layers)
    with torch.no_grad():
        for item in module.parameters():
            item[torch.rand(len(item)) < 0.4] = 0
            if item.ndim > 1:
                item[:, torch.rand(item.shape[1]) < 0.4] = 0
        layers[3].weight[0, 1] = 1e6  # far beyond the range
    loss = KolmogorovLoss(module, quantise=quantise, predictor=RowColumnPredictor())
    predictor, table = loss.predictor, loss.table
    assert isinstance(predictor, ScalePredictor)
    learned = predictor.learned_scales()
    whole = quantise_scales(learned, table, loss.weight_range, 8)
    found = whole.of_tensors(learned.sides)
    num_dead = 0
    for number, (scale, block) in enumerate(zip(found, table.layout.blocks, strict=True)):
        numbers = torch.cat(list(numbers_of_tensor(table, loss.weight_range, number)))
        used = block.box.unflatten(numbers != scale.location).any(2)
        for axis, lines in enumerate(scale.lines):
            dead = torch.from_numpy(lines.exponents == DEAD)
            assert torch.equal(dead, ~used.any(1 - axis))
            num_dead += int(dead.sum())
    assert num_dead > 5
