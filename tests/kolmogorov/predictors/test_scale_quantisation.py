"""Tests of scales as they are sent: what they take, what a decoder makes of them, their fit."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitfold.entropy_coding.scale_syntax import (
    ALIVE,
    DEAD,
    Lines,
    SentScale,
    scale_symbols,
    unit_of,
    whole_scales,
)
from bitfold.entropy_coding.symbol_kernels import bits_of, put_exponents, put_flags
from bitfold.kolmogorov import KolmogorovLoss, RowColumnPredictor, fit_predictor
from bitfold.kolmogorov.description.bits import SentPredictor, sent_predictor
from bitfold.kolmogorov.predictors.scale_quantisation import code_scales

OCTAVE = math.log(2)


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


def sent_of(loss: KolmogorovLoss) -> SentPredictor:
    """What is sent of its predictor."""
    return sent_predictor(loss.table, loss.weight_range, loss.predictor, loss.predictor_bits)


def dead_of(loss: KolmogorovLoss) -> dict[str, Tensor]:
    """Which weights are not coded, by name."""
    subset = loss.subsampling.all_weights()
    scales = loss.predictor.sent_scales(subset, sent_of(loss).parameters)
    return {name: item.bool() for name, item in loss.table.split((scales < ALIVE).float()).items()}


def flag_bits(flags: object, beside: object) -> float:
    """Bits of flags."""
    room = np.empty(1000, np.uint32)
    given = (np.array(item, np.int64) for item in (flags, beside))
    return bits_of(room[: put_flags(room, 0, *given)])


def exponent_bits(exponents: object, unit: int = 3) -> float:
    """Bits of exponents, in eighths of an octave."""
    room = np.empty(5000, np.uint32)
    return bits_of(room[: put_exponents(room, 0, np.array(exponents, np.int64), unit)])


def test_flags_are_a_probability():
    """What all sequences of flags are given adds up to 1, whatever stands beside them."""
    for beside in ([0] * 5, [0, 1, 1, 0, 1]):
        total = sum(2 ** -flag_bits(flags, beside) for flags in itertools.product([0, 1], repeat=5))
        assert total == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("unit", [1, 3])
def test_exponents_are_a_probability(unit):
    """Likewise of exponents; those seen before, and those near 0, take fewer bits."""
    every = range(-120, 121, 2**unit)
    total = sum(2 ** -exponent_bits(pair, unit) for pair in itertools.product(every, every))
    assert total == pytest.approx(1, rel=1e-3)
    assert exponent_bits([24, 24], unit) < exponent_bits([24, 32], unit)
    assert exponent_bits([8], unit) < exponent_bits([32], unit)


def test_long_runs_of_exponents_keep_to_their_bits():
    """Counts are halved, so that chances stay within 16 bits; a new one then still has one."""
    assert exponent_bits([8] * 4000) < 50
    assert exponent_bits([8] * 4000 + [-120]) < 65
    draws = np.random.default_rng(0).integers(0, 2, 4000)
    assert exponent_bits(8 * draws) == pytest.approx(4000, rel=0.02)


def test_flags_that_are_foretold_take_next_to_nothing():
    """By the one before them, or by what stands beside them."""
    runs = np.repeat([1, 0, 1], 200)
    assert flag_bits(runs, np.zeros_like(runs)) < 60
    mixed = np.random.default_rng(0).integers(0, 2, 600)
    assert flag_bits(mixed, mixed) < 40
    assert flag_bits(mixed, np.zeros_like(mixed)) > 590


def test_precision_makes_lines_coarser():
    """Each bit less than 8 doubles the unit, up to an octave; more than 8 change nothing."""
    logs = torch.linspace(-5, 5, 301)
    for precision, unit in ((32, 1), (16, 1), (8, 1), (7, 2), (6, 4), (5, 8), (2, 8)):
        whole = whole_scales(logs, unit_of(precision), -120, 120)
        assert (whole % unit == 0).all()
        assert (whole - logs.double() * 8 / OCTAVE).abs().max() <= unit / 2 + 1e-6


def test_columns_are_told_by_the_rows_before():
    """Neurons that are dead in one layer are foretold in the next; so are all their pixels."""
    chance = np.random.default_rng(0)
    neurons = np.where(chance.random(300) < 0.5, DEAD, 0)
    others = np.where(chance.random(300) < 0.5, DEAD, 0)

    def bits(columns: np.ndarray) -> float:
        first = SentScale(0, 0, (Lines(neurons, 3), Lines(np.zeros(2, int), 3)))
        second = SentScale(0, 0, (Lines(np.zeros(2, int), 3), Lines(columns, 3)))
        return bits_of(scale_symbols([first, SentScale(0, DEAD), second]))

    assert bits(neurons) < bits(others) - 250
    assert bits(np.repeat(neurons, 4)) < bits(np.repeat(others, 4)) - 100


def test_locations_take_a_bit_where_all_are_0():
    """And a few where they are not."""
    scales = [SentScale(0, 5), SentScale(0, -3)]
    assert bits_of(scale_symbols(scales)) == 1 + 2 * 9
    moved = [SentScale(1, 5), SentScale(-40, -3)]
    assert 1 + 2 * 9 + 5 < bits_of(scale_symbols(moved)) < 1 + 2 * 9 + 20


def test_dead_weights_take_nothing():
    """Rows, columns and tensors of zeros: a weight that is alive makes its line be coded."""
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
        loss.table.module[0].weight[15, 3] = 1.0
    after = loss.bits()
    assert not dead_of(loss)["0.weight"][15, :10].any()
    assert after.items["weights"] > before.items["weights"]
    assert after.items["predictor"] > before.items["predictor"]


def test_bits_are_those_of_the_parts():
    """The predictor's item is what its symbols take; the weights' is Shannon's, by hand."""
    loss = sparse_loss()
    sent = sent_of(loss)
    assert loss.bits().items["predictor"] == sent.bits
    rows, columns = sent.parameters["row_log_scale"], sent.parameters["column_log_scale"]
    step = loss.weight_range.steps(as_sent=True)[0]
    numbers = (loss.table.module[0].weight / step).round()[:12, :10].detach()
    scale = 2 ** ((sent.parameters["log_scale"][0] + rows[:12, None] + columns[None, :10]) / 8)
    laplace = torch.distributions.Laplace(0.0, scale.double() + 1 / 32)
    masses = laplace.cdf(numbers + 0.5) - laplace.cdf(numbers - 0.5)
    # Frequencies are whole 2^16ths, and what lies far out is escaped.
    assert loss.report().rows[0].bits == pytest.approx(-masses.log2().sum().item(), rel=2e-3)


def test_what_is_sent_is_whole_exponents():
    """Eighths of octaves for tensors, octaves for rows and columns."""
    loss = sparse_loss()
    with torch.no_grad():
        for item in loss.predictor.parameters():
            item.normal_()
    before = {name: item.clone() for name, item in loss.predictor.named_parameters()}
    for scale in code_scales(loss.predictor, loss.table, loss.weight_range, loss.predictor_bits):
        for lines in scale.lines:
            assert lines.unit == 3
            assert (lines.exponents % 8 == 0).all()
    # The predictor itself is left alone.
    for name, item in loss.predictor.named_parameters():
        assert torch.equal(item, before[name])


def test_all_shapes_are_coded(make_scale_loss):
    """Kernels, transposed ones, lookups, and tensors of one row or column."""
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


def test_fitting_finds_no_worse_than_single_changes():
    """No exponent of a line can be moved by one to make weights much shorter."""
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


def test_a_tensor_of_nothing_but_zeros_and_weights_not_finite():
    """A dead network takes a bit a tensor, and one for locations; NaN shows in the bits."""
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
