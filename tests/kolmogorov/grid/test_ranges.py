"""Tests of the ranges: decoded zeros, learned steps, weights outside."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import PREDICTORS, KolmogorovLoss, ParameterTable
from bitfold.kolmogorov.grid.learned_range import LearnedRange
from bitfold.kolmogorov.grid.ranges import FixedRange, make_range
from bitfold.kolmogorov.weights import weight_subset as places_module
from tests.kolmogorov.narrowing import gradient_of, learned_range


def filled(*values: float) -> nn.Module:
    """Return a module of one parameter with these values, in float64."""
    return nn.ParameterList([torch.tensor(values, dtype=torch.float64)])


@given(
    num_bins=st.integers(2, 300),
    scale=st.floats(-20, 20),
    moved=st.floats(-3, 3),
)
def test_zero_is_always_a_bin_of_learned_steps(num_bins: Any, scale: Any, moved: Any) -> None:
    """With learned steps zeros decode to exactly 0."""
    module = filled(0.0, -0.0, 10.0**scale, -(10.0**scale))
    loss = KolmogorovLoss(module, bins=num_bins, predictor="per_tensor")
    with torch.no_grad():
        learned_range(loss).log_steps.add_(moved)
    assert loss.decoded_state()["0"][:2].tolist() == [0.0, 0.0]
    assert loss.report().rows[0].num_zeros >= 2
    assert loss.bins.minimum <= 0 <= loss.bins.maximum


def test_a_fixed_range_may_have_no_zero() -> None:
    """A range of -3 to 3 in 256 bins has no bin at 0: a pruned weight decodes as half a bin."""
    loss = KolmogorovLoss(filled(0.0, 1.0), weight_range=(-3.0, 3.0))
    assert abs(loss.decoded_state()["0"][0].item()) == pytest.approx(3 / 255)
    assert loss.report().rows[0].num_zeros == 0


def test_first_steps_are_a_sixteenth_of_the_root_mean_square() -> None:
    """A tensor of zeros takes the root mean square of all weights; few bins reach four times it."""
    module = nn.ParameterList([torch.full((4,), 2.0), torch.zeros(4)])
    steps = LearnedRange(ParameterTable(module), 256).steps()
    assert steps.tolist() == pytest.approx([2 / 16, math.sqrt(2) / 16])
    assert LearnedRange(ParameterTable(module), 16).steps()[0].item() == pytest.approx(2 * 4 / 8)
    zeros = LearnedRange(ParameterTable(nn.ParameterList([torch.zeros(3)])), 256)
    assert zeros.steps().tolist() == [1 / 16]


def test_values_are_weights_in_steps_and_back() -> None:
    """Values are weights over the tensor's step; weights are values times the sent step."""
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    table = ParameterTable(module)
    learned = LearnedRange(table, 64)
    with torch.no_grad():
        learned.log_steps.copy_(torch.tensor([0.1, -0.3, 0.2, 0.05]))
    weights, subset = table.flatten().detach(), table.all_weights()
    steps = torch.repeat_interleave(learned.steps(), torch.tensor(table.sizes))
    torch.testing.assert_close(learned.values(weights, subset), weights / steps)
    sent = learned.values(weights, subset, as_sent=True)
    torch.testing.assert_close(learned.weights(sent, subset), weights)
    assert torch.equal(learned.steps(as_sent=True), learned.steps().bfloat16().float())
    assert learned.side_bits == 16 * 4


def test_steps_are_sent_in_bfloat16() -> None:
    """The decoded weights are whole multiples of steps that a decoder reads."""
    module = nn.Linear(20, 10)
    loss = KolmogorovLoss(module)
    step = learned_range(loss).steps(as_sent=True)[0]
    in_steps = loss.decoded_state()["weight"] / step
    torch.testing.assert_close(in_steps, in_steps.round(), rtol=0, atol=1e-4)
    # Rounding to the nearest is off by half a step at most.
    assert (loss.decoded_state()["weight"] - module.weight).abs().max() <= 0.501 * step


@pytest.mark.parametrize("subsample", ["all", "sample", "long"])
def test_gradients_go_back_through_the_steps(
    subsample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients by weights and by log-steps are those of autograd."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)).double()
    table = ParameterTable(module)
    learned = LearnedRange(table, 64).double()
    subset = table.all_weights()
    if subsample == "long":
        # As in networks of many weights.
        monkeypatch.setattr(places_module, "_LONG", 0)
        assert subset.is_long
    if subsample == "sample":
        subset = type(subset)(
            table.layout, 0, 14, subset.device, chosen=torch.tensor([0, 3, 3, 7, 13])
        )
    weights = subset.take(table.flatten().detach()).requires_grad_()
    log_steps = learned.log_steps.detach().clone().requires_grad_()
    values = weights * torch.exp(-log_steps)[subset.block_numbers]
    slopes = torch.randn_like(values)
    expected = torch.autograd.grad(values, [weights, log_steps], slopes)
    found = learned.gradients(slopes, values.detach(), subset)
    torch.testing.assert_close(found.weights, expected[0])
    torch.testing.assert_close(found.parameters[0], expected[1])


def test_rounding_costs_half_the_square_of_step_over_reference() -> None:
    """At the first step every weight pays half a nat; the gradient is that of autograd."""
    table = ParameterTable(nn.Linear(3, 2))
    learned = LearnedRange(table, 64)
    assert float(learned.precision_nats()[0]) == pytest.approx(8 / 2)
    with torch.no_grad():
        learned.log_steps.add_(torch.tensor([math.log(3), -1.0]))
    log_steps = learned.log_steps.detach().clone().requires_grad_()
    ratios = torch.exp(log_steps - learned.reference)
    expected = (ratios.square() * torch.tensor([6.0, 2.0])).sum() / 2
    nats, (gradient,) = learned.precision_nats()
    torch.testing.assert_close(nats, expected.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, log_steps)[0])


def test_k_counts_the_rounding_once() -> None:
    """K is the nats of code and rounding over the number of weights, with and without a sample."""
    torch.manual_seed(0)
    module = nn.Linear(8, 8)
    for sample in (None, 20):
        loss = KolmogorovLoss(module, predictor="per_tensor", sample=sample)
        before = loss().item()
        if loss.counter is not None:
            loss.counter.steps = 0
        with torch.no_grad():
            # The first steps are set to half of their values.
            learned_range(loss).reference.sub_(math.log(2))
        assert loss().item() - before == pytest.approx((4 - 1) / 2, rel=1e-5)


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("trained", ["loss alone", "both"])
def test_steps_do_not_run_away(predictor: Any, trained: str) -> None:
    """500 steps on K alone leave every step within a few times of its first value, and K no longer
    than it was; by lines in place of the adaptive code, only nearly so.
    """
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 3))
    loss = KolmogorovLoss(module, predictor=predictor, bins=64)
    learned = [*loss.parameters(), *(module.parameters() if trained == "both" else ())]
    optimizer = torch.optim.Adam(learned, lr=0.02)
    start = loss().item()
    for _ in range(500):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    ratios = (learned_range(loss).log_steps - learned_range(loss).reference).exp()
    assert ratios.min() > 0.25
    assert ratios.max() < 2
    assert loss().item() < start * (1.05 if predictor == "adaptive" else 1)


def test_a_step_that_is_too_long_or_too_short_comes_back() -> None:
    """From any start a step ends where code and rounding balance, near its reference."""
    torch.manual_seed(0)
    module = nn.Linear(40, 50, bias=False)
    for factor in (1 / 30, 5):
        loss = KolmogorovLoss(module, predictor="per_tensor")
        with torch.no_grad():
            learned_range(loss).log_steps.add_(math.log(factor))
        optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
        for _ in range(400):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
        ratio = (learned_range(loss).log_steps - learned_range(loss).reference).exp()
        assert ratio.item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("weight_range", ["auto", (-1.0, 1.0)])
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_weights_out_of_range_cost_more_the_farther_out(predictor: Any, weight_range: Any) -> None:
    """Weights outside are counted, their cost is unbounded, and their gradient pulls them back."""
    torch.manual_seed(0)
    module = nn.Linear(6, 5).double()
    loss = KolmogorovLoss(module, predictor=predictor, weight_range=weight_range, bins=16)
    assert loss.num_out_of_range() == 0
    edge = loss.bins.maximum * (
        1.0 if weight_range != "auto" else float(learned_range(loss).steps()[0])
    )
    for sign in (1, -1):
        costs, bits = [], []
        for overshoot in (0.01, 0.1, 1, 10, 1e4, 1e10, 1e200):
            with torch.no_grad():
                module.weight[2, 3] = sign * (edge + overshoot) * 1.15
            module.zero_grad()
            value = loss()
            value.backward()
            assert sign * gradient_of(module.weight)[2, 3] > 0
            assert loss.num_out_of_range() == loss.report().total.num_out_of_range == 1
            assert loss.report().rows[0].num_out_of_range == 1
            costs.append(value.item())
            items = loss.bits().items
            bits.append(items["weights"] + items["out_of_range"])
        assert all(later > earlier for earlier, later in pairwise(costs))
        assert bits == sorted(bits)
        assert bits[-1] > bits[0] + 80


@pytest.mark.parametrize("weight_range", ["auto", (-1.0, 1.0)])
def test_training_on_k_brings_weights_back(weight_range: Any) -> None:
    """The gradient of K alone returns a distant weight to the range."""
    torch.manual_seed(0)
    module = nn.Linear(6, 5)
    loss = KolmogorovLoss(module, predictor="per_tensor", weight_range=weight_range, bins=32)
    with torch.no_grad():
        module.weight[2, 3] = 4.0
        module.weight[0, 1] = -4.0
    assert loss.num_out_of_range() == 2
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss.num_out_of_range() == 0


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("automatic", "'auto' or a minimum and a maximum, got 'automatic'"),
        ((1.0,), r"got '\(1.0,\)'"),
        (3.0, "got '3.0'"),
        ((None, 1.0), r"got '\(None, 1.0\)'"),
        ((2.0, 2.0), r"minimum < maximum in float32, got \(2.0, 2.0\)"),
        ((1.0, -1.0), "minimum < maximum"),
        ((math.nan, 1.0), "finite limits"),
    ],
)
def test_impossible_ranges_are_refused(limits: Any, message: str) -> None:
    """Ranges that are empty, reversed or no numbers get an error of one line."""
    with pytest.raises(KolmogorovError, match=message) as caught:
        KolmogorovLoss(nn.Linear(2, 2), weight_range=limits)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bins", [1, 0, -5, 65_537, 2.5, True, "256"])
@pytest.mark.parametrize("weight_range", ["auto", (-1.0, 1.0)])
def test_impossible_numbers_of_bins_are_refused(bins: Any, weight_range: Any) -> None:
    """One bin, too many bins and numbers that are not whole get an error of one line."""
    with pytest.raises(KolmogorovError, match="bins") as caught:
        KolmogorovLoss(nn.Linear(2, 2), weight_range=weight_range, bins=bins)
    assert "\n" not in str(caught.value)


def test_limits_may_be_of_any_numeric_type() -> None:
    """Limits may be whole numbers and NumPy's numbers."""
    np = pytest.importorskip("numpy")
    table = ParameterTable(nn.Linear(2, 2))
    limits: Any
    for limits in ((-1, 1), [-1.0, 1], (np.float32(-1), np.int64(1))):
        assert make_range(table, 16, limits).bins == FixedRange(16, (-1.0, 1.0)).bins


@pytest.mark.parametrize("num_bins", [2, 3])
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_the_smallest_grids_work(num_bins: int, predictor: Any) -> None:
    """Two bins are enough to describe, train and decode."""
    torch.manual_seed(0)
    module = nn.Linear(4, 4)
    for weight_range in ("auto", (-1.0, 1.0)):
        loss = KolmogorovLoss(module, predictor=predictor, bins=num_bins, weight_range=weight_range)
        loss().backward()
        assert gradient_of(module.weight).isfinite().all()
        assert math.isfinite(float(loss.bits()))
        module.load_state_dict(loss.decoded_state())
