"""Tests of the escape code of weights out of range, with a real encoder and decoder."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitfold.kolmogorov import Bins
from bitfold.kolmogorov.grid.escape import confine, decode, escape_bits, overshoot_bins
from tests.kolmogorov.narrowing import gradient_of

BINS = Bins(16, -3.0, 4.5)


def escape_nats(weights: Any) -> Any:
    """Return the smooth cost of each weight's overshoot."""
    return confine(weights, BINS)[1]


def write_gamma(number: int) -> str:
    """Write Elias's gamma code of a whole number >= 1."""
    binary = format(number, "b")
    return "0" * (len(binary) - 1) + binary


def read_gamma(bits: str) -> tuple[int, str]:
    """Read the number at the start of ``bits``; return it and the remaining bits."""
    zeros = len(list(itertools.takewhile("0".__eq__, bits)))
    return int(bits[zeros : 2 * zeros + 1], 2), bits[2 * zeros + 1 :]


@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=8))
def test_escape_codes_can_be_read_back_and_are_as_long_as_counted(values: Any) -> None:
    """A stream of escape codes decodes to every overshoot and has the counted length."""
    weights = torch.tensor(values, dtype=torch.float64)
    nearest, overshoot = BINS.nearest(weights), overshoot_bins(weights, BINS)
    at_edge = [bin_ in {0, 15} for bin_ in nearest.tolist()]
    stream = "".join(
        write_gamma(int(d) + 1) for d, edge in zip(overshoot.tolist(), at_edge, strict=True) if edge
    )
    assert len(stream) == escape_bits(weights, BINS).sum()
    read = []
    for edge in at_edge:
        number, stream = read_gamma(stream) if edge else (1, stream)
        read.append(float(number - 1))
    assert stream == ""
    decoded = decode(nearest, torch.tensor(read, dtype=torch.float64), BINS)
    assert bool(((decoded - weights).abs() <= BINS.width / 2 * 1.001 + 1e-15 * weights.abs()).all())


@pytest.mark.parametrize("power", [1, 2, 10, 24, 25, 26, 53, 54, 55, 90])
@pytest.mark.parametrize("step", [-1, 0, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_counts_are_exact_around_powers_of_two(power: int, step: int, dtype: Any) -> None:
    """The counted length is right where adding 1 would round up to a power of two."""
    bins = Bins(2, 0.0, 1.0)
    largest = torch.tensor(2.0**power, dtype=dtype)
    if step:
        largest = torch.nextafter(largest, torch.tensor(step * torch.inf, dtype=dtype))
    weights = -largest.round()
    overshoot = int(overshoot_bins(weights, bins).item())
    assert escape_bits(weights, bins).item() == len(write_gamma(overshoot + 1))


def test_every_weight_in_an_edge_bin_pays_at_least_one_bit() -> None:
    """An edge bin pays one bit that says there is no overshoot; inner bins pay nothing."""
    weights = BINS.centres(torch.tensor([0, 1, 14, 15]), torch.float64)
    assert escape_bits(weights, BINS).tolist() == [1, 0, 0, 1]


def test_smooth_cost_is_continuous_at_the_edge_and_grows() -> None:
    """The cost is 0 up to the limit, starts at 0 beyond it, and grows with the overshoot."""
    inside = torch.linspace(-3.0, 4.5, 50, dtype=torch.float64)
    assert escape_nats(inside).abs().max() == 0
    steps = torch.logspace(-9, 30, 200, dtype=torch.float64)
    for weights in (4.5 + steps, -3.0 - steps):
        costs = escape_nats(weights)
        assert costs[0] < 1e-8
        assert bool((costs.diff() > 0).all())


def test_smooth_cost_is_the_code_without_its_rounding() -> None:
    """The nats lie between the code's bits beyond the first one and two bits more."""
    overshoot = torch.arange(1, 5000, dtype=torch.float64)
    weights = 4.5 + overshoot * BINS.width
    smooth_bits = escape_nats(weights) / torch.tensor(2.0).log()
    excess = smooth_bits - (escape_bits(weights, BINS) - 1)
    assert excess.min() > -1e-6
    assert excess.max() < 2


def test_gradient_pulls_back_from_both_sides() -> None:
    """A step against the gradient moves weights outside the range towards it, and no
    weight inside.
    """
    weights = torch.tensor([-40.0, -3.5, 0.0, 4.6, 1e6], dtype=torch.float64, requires_grad=True)
    escape_nats(weights).sum().backward()
    assert gradient_of(weights).sign().tolist() == [-1, -1, 0, 1, 1]
    assert torch.autograd.gradcheck(
        lambda far: confine(far, BINS), weights.detach()[:2].clone().requires_grad_()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cost_is_finite_for_the_largest_weights(dtype: Any) -> None:
    """The largest numbers have a finite cost, and their gradient is not NaN."""
    top = torch.finfo(dtype).max
    weights = torch.tensor([top, -top], dtype=dtype, requires_grad=True)
    cost = escape_nats(weights)
    cost.sum().backward()
    assert cost.isfinite().all()
    assert gradient_of(weights).isfinite().all()
    assert escape_bits(weights.detach(), BINS).isfinite().all()
