"""Tests of the coordinate predictor in fixed point against plain Python, which never overflows."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain_network import (
    Layer,
    coordinates,
    inputs_of,
    masses,
    starts,
    symbols,
    tensors_of,
)
from torch import nn

from bitfold.entropy_coding.fixed_point_kernels import (
    group_bits,
    make_room,
    span_of,
    start_of,
    weigh_bins,
)
from bitfold.entropy_coding.fixed_point_networks import fixed_bits
from bitfold.entropy_coding.fixed_point_syntax import (
    MAX_NUMBER,
    STEPS,
    fixed_network,
    network_bits,
    sent_network,
    shapes_of,
    step_lengths,
)
from bitfold.kolmogorov import CoordinatePredictor, KolmogorovLoss
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor


def plain_layers(tensors, steps):
    """The layers of a network in plain Python."""
    layers = []
    for number in range(0, len(tensors), 2):
        (factor, shift), (other, away) = (
            (8 + step % 8, 31 - step // 8) for step in steps[number : number + 2]
        )
        biases = [(n * other << 16) >> away for n in tensors[number + 1].tolist()]
        layers.append(Layer(tensors[number].tolist(), factor, shift, biases))
    return layers


def drawn_network(seed, num_bins, size, least_step):
    """A network of whole numbers up to a size."""
    chance = np.random.default_rng(seed)
    widths = (int(chance.integers(1, 6)), *chance.integers(1, 7, chance.integers(1, 4)), num_bins)
    shapes = shapes_of([int(width) for width in widths])
    tensors = [chance.integers(-size, size + 1, shape) for shape in shapes]
    steps = chance.integers(least_step, 256, len(shapes)).tolist()
    return tensors, steps, chance.integers(0, 2**16 + 1, (2, widths[0]))


def starts_of(cumulative, span):
    """Where all symbols of a span start, and 2^16."""
    count = -(-(span[1] - span[0]) // (1 << span[2]))
    return [start_of(cumulative, symbol, span) for symbol in range(count + 1)]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    num_bins=st.one_of(st.integers(2, 40), st.sampled_from([256, 1024, 1025, 1500])),
    size=st.sampled_from([3, 128, MAX_NUMBER]),
    least_step=st.sampled_from([0, 120, 250]),
)
@example(seed=1, num_bins=256, size=MAX_NUMBER, least_step=255)
def test_masses_and_frequencies_are_those_of_plain_python(seed, num_bins, size, least_step):
    """Also of the largest numbers: nothing overflows; frequencies are at least 1 and fill 2^16."""
    tensors, steps, places = drawn_network(seed, num_bins, size, least_step)
    network = fixed_network(tensors, steps)
    room, shift = make_room(network), group_bits(num_bins)
    for place in places:
        weigh_bins(network, place, room)
        expected = masses(plain_layers(tensors, steps), place.tolist())
        assert np.diff(room[2]).tolist() == expected
        groups, together = symbols(expected)
        assert together == 1 << shift
        whole = starts_of(room[2], (0, num_bins, shift))
        assert whole == starts(groups)
        within = starts_of(room[2], span_of(len(groups) - 1, shift, num_bins))
        assert within == starts(expected[(len(groups) - 1) * together :])
        for found in (whole, within):
            assert found[0] == 0
            assert found[-1] == 2**16
            assert min(np.diff(found)) >= 1


def test_the_widest_network_overflows_nowhere():
    """4,096 of the largest values times the largest numbers stay within int64."""
    shapes = shapes_of([5, 4096, 2])
    for sign in (1, -1):
        tensors = [np.full(shape, MAX_NUMBER) for shape in shapes]
        tensors[2][1] *= sign
        network = fixed_network(tensors, [255] * 4)
        room = make_room(network)
        weigh_bins(network, np.full(5, 2**16), room)
        expected = [2**30 + 1] * 2 if sign > 0 else [2**30 + 1, 1]
        assert np.diff(room[2]).tolist() == expected


def plain_bits(loss):
    """Bits of each weight under the sent predictor, one by one in plain Python."""
    predictor, table = loss.predictor, loss.table
    sent = predictor.sent(loss.predictor_bits)
    steps = sent.pop(STEPS).tolist()
    layers = plain_layers(list(sent.values()), steps)
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
def test_the_bits_of_weights_are_those_of_plain_python(dtype, weight_range, bins, precision):
    """Of tensors of all shapes, whatever the range and the type."""
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
def test_fixed_point_takes_what_floating_point_takes(bins):
    """K in training, which is floating point, says what a file takes to within half a per cent."""
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


def test_numbers_are_near_the_parameters_and_steps_as_fine_as_asked():
    """At most half a step away, in at most as many steps as the precision says."""
    chance = torch.Generator().manual_seed(0)
    for precision in (2, 5, 8, 16, 32):
        tensor = torch.randn(40, 5, generator=chance) * 10 ** (precision / 5 - 2)
        sent = sent_network({"weight": tensor}, precision)
        step = step_lengths()[sent[STEPS][0]]
        assert (sent["weight"] * step - tensor.double()).abs().max() <= step * 0.5001
        spread = int(sent["weight"].max() - sent["weight"].min())
        bits = min(precision, 16)
        assert 2 ** (bits - 1) * 0.8 <= spread <= 2**bits
    constant = sent_network({"bias": torch.full((7,), 0.3)}, 8)
    found = constant["bias"] * step_lengths()[constant[STEPS][0]]
    assert found.tolist() == pytest.approx([0.3] * 7, rel=1e-5)


def test_parameters_out_of_bounds_are_kept_within_them():
    """Whatever a diverged training leaves behind has whole numbers, but no finite bits."""
    wild = torch.tensor([1e30, -1e30, math.nan, math.inf, 0.0])
    sent = sent_network({"bias": wild}, 8)
    lowest = -MAX_NUMBER
    assert sent["bias"].tolist() == [lowest + 255, lowest, lowest + 255, lowest + 255, lowest + 255]
    module = nn.Linear(3, 2)
    loss = KolmogorovLoss(module, predictor="coordinate", bins=8)
    assert math.isfinite(loss.bits().total)
    with torch.no_grad():
        loss.predictor.head.bias[0] = math.nan
    assert math.isnan(loss.bits().items["weights"])


def test_threads_make_no_difference():
    """Many weights are counted in parts, each with the bits that it has alone."""
    chance = np.random.default_rng(0)
    shapes = shapes_of([3, 4, 16])
    network = fixed_network([chance.integers(-99, 99, shape) for shape in shapes], [150] * 4)
    places, bins = chance.integers(0, 2**16, (20_000, 3)), chance.integers(0, 16, 20_000)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        found = fixed_bits(network, places, bins)
    finally:
        torch.set_num_threads(threads)
    some = np.arange(0, 20_000, 997)
    assert np.array_equal(found[some], fixed_bits(network, places[some], bins[some]))


def test_the_predictor_takes_the_same_bits_whatever_it_has_learned(make_loss):
    """So lambda does not change what it weighs against; more precision takes more."""
    taken = {bits: make_loss(predictor_bits=bits) for bits in (2, 8, 16, 32)}
    sizes = [item.numel() for item in taken[2].predictor.parameters()]
    bits = {precision: loss.bits().items["predictor"] for precision, loss in taken.items()}
    shape = bits[2] - network_bits(sizes, 2)
    assert 0 < shape < 40
    for precision in (8, 16):
        assert bits[precision] - bits[2] == (precision - 2) * sum(sizes)
    assert bits[32] == bits[16]
    with torch.no_grad():
        taken[8].predictor.head.weight[:, 1:] *= 0.1
    assert taken[8].bits().items["predictor"] == bits[8]
