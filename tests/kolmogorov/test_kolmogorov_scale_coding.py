"""Tests of scales as whole exponents: what they take, what a decoder makes of them, their fit."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from bitfold.kolmogorov import KolmogorovLoss, RowColumnPredictor, fit_predictor
from bitfold.kolmogorov.scale_coding import (
    LINE_STEP,
    OWN_STEP,
    code_scales,
    exponent_bits,
    flag_bits,
)


def sparse_loss(**settings: object) -> KolmogorovLoss:
    """A loss of two layers in which rows, columns and a whole vector are 0."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(30, 20), nn.Linear(20, 5))
    loss = KolmogorovLoss(module, quantise="learned", **settings)
    with torch.no_grad():
        loss.weight_range.log_steps.sub_(1.5)
        module[0].weight[:, 10:].zero_()
        module[0].weight[12:].zero_()
        module[1].weight[:, 12:].zero_()
        module[1].bias.zero_()
    fit_predictor(loss)
    return loss


def scales_of(loss: KolmogorovLoss):
    """As they are sent."""
    places = loss.portions.everything()
    return code_scales(loss.predictor, loss.table, loss.weight_range, places)


def test_flags_are_a_probability():
    """What all sequences of flags are given adds up to 1, whatever stands beside them."""
    for beside in ([True] * 5, [True, False, False, True, False]):
        total = sum(
            2 ** -flag_bits(np.array(flags), np.array(beside))
            for flags in itertools.product([False, True], repeat=5)
        )
        assert total == pytest.approx(1)


def test_exponents_are_a_probability():
    """Likewise of exponents; those seen before, and those near 0, take fewer bits."""
    every = range(-15, 16)
    total = sum(2 ** -exponent_bits(np.array(pair)) for pair in itertools.product(every, every))
    assert total == pytest.approx(1)
    assert exponent_bits(np.array([3, 3])) < exponent_bits(np.array([3, 4]))
    assert exponent_bits(np.array([1])) < exponent_bits(np.array([4]))


def test_flags_that_are_foretold_take_next_to_nothing():
    """By the one before them, or by what stands beside them."""
    runs = np.repeat([True, False, True], 200)
    assert flag_bits(runs, np.ones_like(runs)) < 60
    mixed = np.random.default_rng(0).random(600) < 0.5
    assert flag_bits(mixed, mixed) < 40
    assert flag_bits(mixed, np.ones_like(mixed)) > 590


def test_dead_weights_take_nothing():
    """Rows, columns and tensors of zeros: a weight that is alive makes its line be coded."""
    loss = sparse_loss()
    sent = scales_of(loss)
    dead = loss.table.split(sent.is_dead.float())
    assert dead["0.weight"][:12, :10].sum() == 0
    assert dead["0.weight"].sum() == 600 - 120
    assert bool(dead["1.bias"].all())
    assert dead["0.bias"].sum() == 0
    rows = {row.name: row for row in loss.report().rows}
    assert rows["1.bias"].bits == 0
    before = loss.bits()
    with torch.no_grad():
        loss.table.module[0].weight[15, 3] = 1.0
    after = loss.bits()
    assert not loss.table.split(scales_of(loss).is_dead)["0.weight"][15, :10].any()
    assert after.items["weights"] > before.items["weights"]
    assert after.items["predictor"] > before.items["predictor"]


def test_bits_are_those_of_the_parts():
    """The predictor's item is what `code_scales` counts; the weights' is Shannon's, by hand."""
    loss = sparse_loss()
    sent = scales_of(loss)
    assert loss.bits().items["predictor"] == sent.bits
    rows, columns = sent.parameters["row_log_scale"], sent.parameters["column_log_scale"]
    step = loss.weight_range.steps(as_sent=True)[0]
    numbers = (loss.table.module[0].weight / step).round()[:12, :10].detach()
    scale = torch.exp(sent.parameters["log_scale"][0] + rows[:12, None] + columns[None, :10])
    laplace = torch.distributions.Laplace(0.0, scale.double() + 1 / 32)
    masses = laplace.cdf(numbers + 0.5) - laplace.cdf(numbers - 0.5)
    assert loss.report().rows[0].bits == pytest.approx(-masses.log2().sum().item(), rel=1e-5)


def test_what_is_sent_is_whole_exponents():
    """Eighths of octaves for tensors, octaves for rows and columns."""
    loss = sparse_loss()
    with torch.no_grad():
        for item in loss.predictor.parameters():
            item.normal_()
    sent = scales_of(loss).parameters
    for name, step in (("log_scale", OWN_STEP), ("row_log_scale", LINE_STEP)):
        exponents = sent[name].double() / step
        torch.testing.assert_close(exponents, exponents.round(), rtol=0, atol=1e-5)
    # The predictor itself is left alone.
    assert not torch.equal(loss.predictor.log_scale, sent["log_scale"])


def test_all_shapes_are_coded(make_scale_loss):
    """Kernels, transposed ones, lookups, and tensors of one row or column."""
    loss = make_scale_loss(RowColumnPredictor(is_centred=True), quantise="learned")
    with torch.no_grad():
        for item in loss.table.parameters:
            if item.ndim > 2:
                item[1].zero_()
                item[:, 2].zero_()
    dead = {name: item.bool() for name, item in loss.table.split(scales_of(loss).is_dead).items()}
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


def test_fitting_finds_no_worse_than_single_changes():
    """No exponent of a line can be moved by one to make weights much shorter."""
    loss = sparse_loss()
    best = loss.bits().total
    for name in ("row_log_scale", "column_log_scale"):
        factors = dict(loss.predictor.named_parameters())[name]
        for number in range(10):
            for move in (-LINE_STEP, LINE_STEP):
                with torch.no_grad():
                    factors[number] += move
                assert loss.bits().total > best - 3
                with torch.no_grad():
                    factors[number] -= move


def test_a_tensor_of_nothing_but_zeros_and_weights_not_finite():
    """A dead network takes a bit a tensor and its steps; NaN shows in the bits."""
    module = nn.Linear(6, 4)
    loss = KolmogorovLoss(module, quantise="learned")
    with torch.no_grad():
        module.weight.zero_()
        module.bias.zero_()
    fit_predictor(loss)
    assert loss.bits().items["predictor"] == 2
    assert loss.bits().items["weights"] == 0
    with torch.no_grad():
        module.weight[1, 1] = math.nan
    assert math.isnan(loss.bits().total)
