"""Tests of the whole description length against a naive recount, and of what a decoder gets."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.entropy_coding.precision import sent
from bitfold.kolmogorov import KINDS, CoordinatePredictor, Description, KolmogorovLoss

# The other predictor, a distribution over bins, is counted in fixed point.
FLOATING = [kind for kind in KINDS if kind != "cross_entropy"]


def naive_sent(values: list[float], precision_bits: int) -> list[float]:
    """Return a tensor's values after quantisation between its extremes, one by one."""
    low, high = (torch.tensor(pick(values), dtype=torch.float32) for pick in (min, max))
    if low == high:
        return [low.item()] * len(values)
    step = ((high - low) / (2**precision_bits - 1)).item()
    return [low.item() + step * round((value - low.item()) / step) for value in values]


def naive_outputs(loss: KolmogorovLoss) -> list[list[float]]:
    """Return the outputs of the sent predictor for each weight, computed in plain Python."""
    assert isinstance(loss.predictor, CoordinatePredictor)
    layers = []
    for layer in [
        *(item for item in loss.predictor.trunk if isinstance(item, nn.Linear)),
        loss.predictor.head,
    ]:
        flat = naive_sent(layer.weight.flatten().tolist(), loss.predictor_bits)
        rows = [flat[i : i + layer.in_features] for i in range(0, len(flat), layer.in_features)]
        layers.append((rows, naive_sent(layer.bias.tolist(), loss.predictor_bits)))
    results = []
    for position in loss.table.positions()[:, [0, 1, 2, 4]].tolist():
        values = position
        for depth, (rows, bias) in enumerate(layers):
            values = [
                sum(a * b for a, b in zip(row, values, strict=True)) + offset
                for row, offset in zip(rows, bias, strict=True)
            ]
            if depth < len(layers) - 1:
                values = [value if value > 0 else 0.01 * value for value in values]
        results.append(values)
    return results


def laplacian_cdf(x: float, location: float, scale: float) -> float:
    """Return the probability of values up to x."""
    z = (x - location) / scale
    return math.exp(z) / 2 if z < 0 else 1 - math.exp(-z) / 2


def naive_weight_bits(loss: KolmogorovLoss, kind: str, index: list[int]) -> float:
    """Return the bits of the bins under the sent predictor, one weight at a time."""
    low, width, last = loss.bins.minimum, loss.bins.width, loss.bins.num_bins - 1
    outputs = naive_outputs(loss)
    squares = [(low + i * width - out[0]) ** 2 for out, i in zip(outputs, index, strict=True)]
    spread = max(math.sqrt(torch.tensor(sum(squares) / len(squares)).item()), width / 2)
    total = 0.0
    for i, out in zip(index, outputs, strict=True):
        left, right = low + (i - 0.5) * width, low + (i + 0.5) * width
        if kind == "laplacian_nll":
            scale = math.exp(out[1]) + width / 2
            below = laplacian_cdf(left, out[0], scale)
            above = laplacian_cdf(right, out[0], scale)
        else:
            sigma = spread if kind == "mse" else math.sqrt(math.exp(out[1]) + (width / 2) ** 2)
            below, above = (NormalDist(out[0], sigma).cdf(x) for x in (left, right))
        mass = (1.0 if i == last else above) - (0.0 if i == 0 else below)
        total -= math.log2((1 - 2**-16) * mass + 2**-16 / (last + 1))
    return total


@pytest.mark.parametrize("kind", FLOATING)
@pytest.mark.parametrize("precision_bits", [3, 8])
def test_bits_are_those_of_a_naive_recount(
    kind: Any, precision_bits: int, network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """Every item equals a count in plain Python that shares no code with the package."""
    loss = make_loss(kind=kind, bins=32, predictor_bits=precision_bits)
    weights = [value for item in network.parameters() for value in item.flatten().tolist()]
    grid = [round((weight + 3) / loss.bins.width) for weight in weights]
    index = [min(max(i, 0), 31) for i in grid]
    assert len(set(grid) - set(index)) > 1
    overshoot = [abs(g - i) for g, i in zip(grid, index, strict=True) if i in {0, 31}]
    sizes = [item.numel() for item in loss.predictor.parameters()]
    expected = {
        "weights": naive_weight_bits(loss, kind, index),
        "out_of_range": sum(2 * math.floor(math.log2(d + 1)) + 1 for d in overshoot),
        "predictor": sum(size * precision_bits + 64 for size in sizes),
        "ranges": 64,
    }
    if kind == "mse":
        expected["residual_variance"] = 32
    description = loss.bits()
    assert description.items == pytest.approx(expected, rel=1e-6)
    assert description.total == pytest.approx(sum(expected.values()), rel=1e-6)


@pytest.mark.parametrize("kind", list(KINDS))
def test_bits_tensor_is_the_total(kind: Any, make_loss: Callable[..., KolmogorovLoss]) -> None:
    """The tensor equals the itemised total."""
    loss = make_loss(kind=kind)
    total = loss.bits_tensor()
    assert total.shape == ()
    assert not total.requires_grad
    assert total.item() == pytest.approx(float(loss.bits()), rel=1e-12)


@pytest.mark.parametrize("settings", [{"kind": "mse"}, {"kind": "laplacian_nll"}])
def test_bits_tensor_does_not_wait_for_the_device(
    settings: Any, make_loss: Callable[..., KolmogorovLoss], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a density no operation reads a value back to the host."""
    loss = make_loss(**settings)

    def refuse(*_: Any) -> None:
        raise AssertionError("read back")

    for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    loss.bits_tensor()
    loss.out_of_range_count()
    loss()
    with pytest.raises(AssertionError, match="read back"):
        loss.bits()


def test_more_precision_costs_more_and_32_is_plain_float(
    make_loss: Callable[..., KolmogorovLoss],
) -> None:
    """The predictor's item follows its precision; float32 needs no offsets and steps."""
    predictor = {
        bits: make_loss(kind="mse", predictor_bits=bits).bits().items["predictor"]
        for bits in (2, 8, 16, 32)
    }
    loss = make_loss(kind="mse")
    size = sum(item.numel() for item in loss.predictor.parameters())
    assert predictor == {
        bits: size * bits + (0 if bits == 32 else 64 * 6) for bits in (2, 8, 16, 32)
    }


def test_weights_are_coded_under_the_predictor_as_sent(
    make_loss: Callable[..., KolmogorovLoss],
) -> None:
    """A coarse predictor changes the bits of the weights; a fine one hardly does."""
    bits = {}
    for precision_bits in (2, 16, 32):
        loss = make_loss(predictor_bits=precision_bits)
        with torch.no_grad():
            loss.predictor.get_parameter("head.bias").mul_(5)
        bits[precision_bits] = loss.bits().items["weights"]
    assert bits[16] == pytest.approx(bits[32], rel=1e-4)
    assert bits[2] != pytest.approx(bits[32], rel=1e-3)


@pytest.mark.parametrize("precision_bits", [2, 5, 8, 16])
def test_sent_tensors_have_few_values_close_to_their_own(precision_bits: int) -> None:
    """A sent tensor has at most 2^bits values, at most half a step from the tensor's."""
    tensor = torch.randn(5000, generator=torch.Generator().manual_seed(0))
    received = sent(tensor, precision_bits)
    step = (tensor.max() - tensor.min()) / (2**precision_bits - 1)
    unique = received.unique()  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert len(unique) <= 2**precision_bits
    assert (received - tensor).abs().max() <= step * 0.5001 + 1e-6


def test_constant_tensors_are_sent_as_they_are() -> None:
    """A tensor of one value has step zero and loses nothing."""
    assert sent(torch.full((7,), 0.3), 8).tolist() == [torch.tensor(0.3).item()] * 7


def test_decoded_weights_are_the_nearest_of_the_grid(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """Each decoded weight is the weight rounded to the grid, also beyond the range."""
    loss = make_loss()
    decoded = loss.decoded_state()
    width = loss.bins.width
    for name, parameter in network.named_parameters():
        rounded = -3 + width * ((parameter.detach() + 3) / width).round()
        torch.testing.assert_close(decoded[name], rounded, rtol=0, atol=1e-12)
        assert decoded[name].dtype == parameter.dtype


def test_decoded_state_can_be_loaded_and_described_again(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """A network with the decoded state has the same bits, and decodes to itself."""
    loss = make_loss()
    before = float(loss.bits())
    state = loss.decoded_state()
    network.load_state_dict(state)
    assert float(loss.bits()) == pytest.approx(before, rel=1e-12)
    for name, value in loss.decoded_state().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=1e-12)


def test_frozen_parameters_and_buffers_are_counted() -> None:
    """Undescribed numbers are sent in float32, tied ones once, and can be loaded."""
    tied = nn.Linear(4, 4)
    network = nn.Sequential(tied, nn.BatchNorm1d(4), tied, nn.Linear(4, 2))
    network[3].requires_grad_(False)
    loss = KolmogorovLoss(network)
    assert loss.num_weights == 16 + 4 + 4 + 4
    assert {item: loss.bits().items[item] for item in ("frozen", "buffers")} == {
        "frozen": 32 * (8 + 2),
        "buffers": 32 * (4 + 4 + 1),
    }
    network.load_state_dict(loss.decoded_state())
    assert not {"frozen", "buffers"} & set(KolmogorovLoss(nn.Linear(2, 2)).bits().items)


def test_description_is_a_table() -> None:
    """str gives one row an item and one for the total, with bits and bits per weight."""
    description = Description({"weights": 1234.5, "predictor": 100.0}, 10)
    lines = str(description).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["weights", "predictor", "total"]
    assert lines[-1].split() == ["total", "1,334.5", "133.450"]
    assert len({len(line) for line in lines}) == 1
    assert float(description) == description.total == 1334.5
