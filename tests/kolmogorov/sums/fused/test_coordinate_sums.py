"""Tests of the compiled sum against the softmax over weights by bins in float64."""

import math
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.sums.fused.coordinate_sums import FusedSum, fused_bin_nats, fused_sum
from bitfold.kolmogorov.sums.kinks import at_least, at_most


class Problem(NamedTuple):
    """The first arguments of `fused_sum`."""

    indices: Tensor
    positions: Tensor
    layers: list[Tensor]
    num_bins: int


def make_problem(
    num_weights: int, widths: tuple[int, ...], *, spread: float = 1.0, seed: int = 0
) -> Problem:
    """Return weights, a tenth out of range, and a predictor with logits of size ``spread``."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [normal(fan_out, fan_in) / math.sqrt(fan_in), normal(fan_out)]
    layers[-2] *= spread
    layers[-1] *= spread
    num_bins = widths[-1]
    index = (num_bins - 1) / 2 + normal(num_weights) * num_bins / 3.3
    return Problem(index, normal(num_weights, widths[0]), layers, num_bins)


def hidden_of(positions: Tensor, layers: list[Tensor]) -> Tensor:
    """Return the last hidden values: weights by hidden values."""
    values = positions
    for weights, biases in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        values = functional.leaky_relu(functional.linear(values, weights, biases), 0.01)
    return values


def logits_of(positions: Tensor, layers: list[Tensor]) -> Tensor:
    """Return the logits: weights by bins."""
    return functional.linear(hidden_of(positions, layers), *layers[-2:])


def shares_of(index: Tensor, num_bins: int, temperature: float | None) -> Tensor:
    """Return weights by bins; the slope of a distance of 0 is 0, as for PyTorch's abs."""
    if temperature is None:
        floor = index.detach().floor().clamp(max=num_bins - 2)
        columns = torch.stack([floor, floor + 1], dim=1).long()
        pair = torch.stack([1 - (index - floor), index - floor], dim=1)
        return torch.zeros(len(index), num_bins, dtype=index.dtype).scatter(1, columns, pair)
    distances = (index.unsqueeze(1) - torch.arange(num_bins)).abs()
    return functional.softmax(-distances / temperature, dim=1)


def reference(problem: Problem, temperature: float | None) -> tuple[FusedSum, float]:
    """Return the sum in float64 by the slow way, and the sum of the weights' largest logits."""
    leaves = [item.double().requires_grad_() for item in (problem.indices, *problem.layers)]
    index, layers = leaves[0], leaves[1:]
    logits = logits_of(problem.positions.double(), layers)
    within = at_most(at_least(index, 0.0), problem.num_bins - 1)
    shares = shares_of(within, problem.num_bins, temperature)
    costs = logits.logsumexp(dim=1) - (shares * logits).sum(dim=1)
    escapes = 2 * (index - within.detach()).abs().log1p()
    total = (costs + escapes).sum()
    gradients = torch.autograd.grad(total, leaves)
    # At the very edges clamp passes the gradient on and abs has none; `confine` does the same.
    found = FusedSum(total.item(), gradients[0], list(gradients[1:]))
    return found, logits.detach().abs().amax(dim=1).sum().item()


def assert_equal_to_reference(
    problem: Problem, temperature: float | None, rounding: float = 2**-24
) -> None:
    """Assert totals to 1e-6, of the logits if they are larger, and gradients to 1e-5, of norms.

    Args:
        problem: with its weights and predictor.
        temperature: of soft targets.
        rounding: of a probability. Probabilities and shares of n weights, which may cancel, are
            summed apart, so gradients may differ by n times as much, times a hidden value.
    """
    ours = fused_sum(*problem, temperature, True)
    exact, logits = reference(problem, temperature)
    assert abs(ours.total - exact.total) <= 1e-6 * max(abs(exact.total), logits)
    # Logits of size z are off by their rounding, z eps, and probabilities by that share.
    num_weights = len(problem.indices)
    share = 1e-5 + 4e-7 * logits / num_weights
    hidden = hidden_of(problem.positions.double(), [layer.double() for layer in problem.layers])
    largest = max(1.0, hidden.abs().max().item(), logits / num_weights)
    absolute = rounding * num_weights * largest
    # By this index and this bias the derivative is of the size of a logit and of 1: a norm that is
    # smaller has cancelled.
    pairs = [(ours.grad_index, exact.grad_index, logits / num_weights)]
    pairs += [(*pair, 0.1) for pair in zip(ours.grad_layers, exact.grad_layers, strict=True)]
    for fast, slow, least in pairs:
        assert fast.shape == slow.shape and fast.dtype == torch.float32
        assert (fast - slow).norm() <= share * max(slow.norm().item(), least) + absolute


@given(
    num_weights=st.integers(1, 300),
    widths=st.tuples(st.integers(1, 6), st.integers(1, 20))
    | st.tuples(st.integers(1, 6), st.integers(1, 40), st.integers(1, 8), st.integers(1, 20)),
    num_bins=st.integers(2, 1000),
    temperature=st.sampled_from([None, 1e-6, 0.01, 0.1, 0.25, 1.0, 5.0, 300.0, 1e12]),
    seed=st.integers(0, 1000),
)
def test_sum_and_gradients_are_those_of_the_full_softmax(
    num_weights: Any, widths: Any, num_bins: Any, temperature: Any, seed: Any
) -> None:
    """For all shapes and targets, the sum and its gradients are those of the slow reference."""
    problem = make_problem(num_weights, (*widths, num_bins), seed=seed)
    assert_equal_to_reference(problem, temperature)


@pytest.mark.parametrize("temperature", [None, 0.1])
@pytest.mark.parametrize("widths", [(4, 5, 5, 256), (4, 16, 256), (4, 32, 32, 256), (2, 700, 64)])
def test_usual_and_wide_predictors_are_exact(widths: Any, temperature: Any) -> None:
    """The sum is exact for shapes with loops of their own, and for one that leaves the caches."""
    assert_equal_to_reference(make_problem(811, widths), temperature)


def in_rows(problem: Problem, width: int) -> Problem:
    """Return the problem with the positions of a matrix: two coordinates, which grow in steps."""
    numbers = torch.arange(len(problem.indices))
    rows, columns = numbers // width, numbers % width
    places = [columns / max(width - 1, 1), rows / max(int(rows.max()), 1)]
    others = [torch.zeros(len(numbers))] * (problem.positions.shape[1] - 2)
    return problem._replace(positions=torch.stack([*places, *others], 1).contiguous())


@given(
    weights=st.tuples(st.integers(1, 300), st.integers(1, 150), st.integers(0, 1000)),
    widths=st.tuples(st.integers(2, 4), st.integers(1, 9))
    | st.tuples(st.integers(2, 4), st.integers(1, 9), st.integers(1, 9)),
    num_bins=st.integers(2, 300),
    temperature=st.sampled_from([None, 0.01, 0.25, 5.0, 300.0]),
    spread=st.sampled_from([0.1, 1.0, 8.0, 40.0]),
)
@example(weights=(62, 6, 218), widths=(2, 1, 1), num_bins=235, temperature=None, spread=8.0)
def test_rows_of_a_matrix_cost_what_each_weight_costs(
    weights: Any, widths: Any, num_bins: Any, temperature: Any, spread: Any
) -> None:
    """Along rows, with kinks of the predictor in between, sum and gradients are the reference's."""
    num_weights, width, seed = weights
    problem = make_problem(num_weights, (*widths, num_bins), spread=spread, seed=seed)
    # Factors of exponentials are off by up to 2e-6, all alike; bins share what is summed.
    assert_equal_to_reference(in_rows(problem, width), temperature, 2e-6 / num_bins**0.5)


def test_gradients_on_both_sides_of_a_kink_are_kept_apart() -> None:
    """A kink between two weights of a row, which moves no logit, still has its gradients."""
    problem = in_rows(make_problem(64, (2, 3, 40)), 64)
    problem.layers[0][0], problem.layers[1][0] = torch.tensor([1.0, 0.0]), -0.4
    problem.layers[2][:, 0] = 0  # the first hidden value moves no logit
    assert_equal_to_reference(problem, 0.25)


@pytest.mark.parametrize("temperature", [None, 0.25])
def test_a_row_of_other_weights_agrees_with_the_same_weights_shuffled(temperature: Any) -> None:
    """Weights cost the same in a row, where they share exponentials, and in any order."""
    problem = in_rows(make_problem(640, (3, 5, 5, 256)), 100)
    order = torch.randperm(640, generator=torch.Generator().manual_seed(0))
    shuffled = problem._replace(indices=problem.indices[order], positions=problem.positions[order])
    ours, other = fused_sum(*problem, temperature, True), fused_sum(*shuffled, temperature, True)
    assert ours.total == pytest.approx(other.total, rel=1e-7)
    torch.testing.assert_close(ours.grad_index[order], other.grad_index, rtol=1e-5, atol=1e-6)
    for one, two in zip(ours.grad_layers, other.grad_layers, strict=True):
        assert (one - two).norm() <= 3e-6 * two.norm()


@pytest.mark.parametrize("temperature", [None, 0.1, 2.0])
@pytest.mark.parametrize("spread", [10.0, 40.0, 300.0, 1e4])
def test_logits_far_apart_are_shifted(spread: float, temperature: Any) -> None:
    """Logits so large that their exponentials would overflow give the exact sum."""
    problem = make_problem(70, (3, 4, 100), spread=spread)
    assert_equal_to_reference(problem, temperature)


@pytest.mark.parametrize("temperature", [None, 1e-6, 0.1, 1.0, 1e9])
@pytest.mark.parametrize("num_bins", [2, 3, 17, 256])
def test_weights_on_bins_and_at_the_edges_are_exact(num_bins: int, temperature: Any) -> None:
    """A weight exactly on a bin has the kink's mean slope, or by linear targets that above it."""
    problem = make_problem(2, (2, 3, num_bins))
    index = torch.arange(num_bins, dtype=torch.float32)
    halves = (index[:-1] + 0.5).repeat(2)
    index = torch.cat([index, halves, torch.nextafter(index, torch.tensor(math.inf))[:-1]])
    positions = torch.linspace(-1, 1, 2 * len(index)).view(-1, 2)
    assert_equal_to_reference(problem._replace(indices=index, positions=positions), temperature)


@pytest.mark.parametrize("temperature", [None, 0.1])
def test_any_finite_index_costs_a_finite_amount_and_is_pulled_back(temperature: Any) -> None:
    """A weight far out of range costs 2 ln(1 + overshoot) above the edge, with that slope."""
    problem = make_problem(6, (2, 3, 10))
    far = torch.tensor([-3e38, -1e10, -2.0, 11.0, 1e10, 3e38])
    ours = fused_sum(*problem._replace(indices=far), temperature, True)
    at_edge = fused_sum(*problem._replace(indices=far.clamp(0, 9)), temperature, True)
    overshoot = torch.tensor([3e38, 1e10, 2.0, 2.0, 1e10, 3e38], dtype=torch.float64)
    extra = 2 * overshoot.log1p().sum().item()
    assert ours.total - at_edge.total == pytest.approx(extra, rel=1e-6)
    slopes = torch.tensor([-1, -1, -1, 1, 1, 1]) * 2 / (1 + overshoot)
    torch.testing.assert_close(ours.grad_index.double(), slopes, rtol=1e-6, atol=0)
    for ours_by, edge_by in zip(ours.grad_layers, at_edge.grad_layers, strict=True):
        assert torch.equal(ours_by, edge_by)


@pytest.mark.parametrize("temperature", [None, 0.1, 1e9])
@pytest.mark.parametrize("place", [0, 40, 69])
def test_a_weight_that_is_not_a_number_shows(place: int, temperature: Any) -> None:
    """NaN for a weight gives a total of NaN and NaN for its slope."""
    problem = make_problem(70, (2, 3, 10))
    problem.indices[place] = math.nan
    ours = fused_sum(*problem, temperature, True)
    assert math.isnan(ours.total)
    assert ours.grad_index[place].isnan()
    assert ours.grad_index.isnan().sum() == 1


@pytest.mark.parametrize("layer", range(6))
def test_a_parameter_that_is_not_a_number_shows(layer: Any) -> None:
    """NaN in any of the predictor's tensors gives a total of NaN."""
    problem = make_problem(5, (2, 3, 3, 10))
    problem.layers[layer].view(-1)[-1] = math.nan
    assert math.isnan(fused_sum(*problem, 0.1, False).total)


@pytest.mark.parametrize("temperature", [None, 0.1])
def test_result_does_not_depend_on_threads(temperature: Any) -> None:
    """Two or three threads give one thread's sum and gradients, bit for bit."""
    problem = make_problem(17_001, (2, 3, 33))
    before = torch.get_num_threads()
    found = []
    try:
        for num_threads in (1, 2, 3):
            torch.set_num_threads(num_threads)
            found.append(fused_sum(*problem, temperature, True))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert other.total == found[0].total
        assert torch.equal(other.grad_index, found[0].grad_index)
        assert all(map(torch.equal, other.grad_layers, found[0].grad_layers))
    assert_equal_to_reference(problem, temperature)


@pytest.mark.parametrize("num_weights", [0, 5, 17_001])
def test_without_gradients_the_total_is_the_same(num_weights: int) -> None:
    """Without gradients the total is the same and no gradient is returned."""
    problem = make_problem(num_weights, (2, 3, 33))
    silent, loud = fused_sum(*problem, 0.1, False), fused_sum(*problem, 0.1, True)
    assert silent.total == loud.total
    assert silent.grad_index.numel() == 0 and silent.grad_layers == []
    assert [item.shape for item in loud.grad_layers] == [item.shape for item in problem.layers]
    assert (silent.total == 0) == (num_weights == 0)


def test_inputs_may_be_parameters_and_views() -> None:
    """Layers that require gradients, and tensors that are not contiguous, are read as they are."""
    problem = make_problem(50, (4, 5, 20))
    plain = fused_sum(*problem, 0.1, True)
    layers = [layer.t().contiguous().t().requires_grad_() for layer in problem.layers]
    index = torch.stack([problem.indices, problem.indices], dim=1)[:, 1]
    ours = fused_sum(index, problem.positions.t().contiguous().t(), layers, 20, 0.1, True)
    assert ours.total == plain.total
    assert not any(gradient.requires_grad for gradient in ours.grad_layers)
    assert all(map(torch.equal, ours.grad_layers, plain.grad_layers))


@pytest.mark.parametrize("spread", [1.0, 1e4])
@pytest.mark.parametrize(("num_weights", "widths"), [(1, (1, 1, 2)), (811, (4, 5, 5, 256))])
def test_bins_cost_their_negative_log_probability(
    num_weights: int, widths: Any, spread: float
) -> None:
    """Given bins cost what float64 says, to the logits' rounding."""
    problem = make_problem(num_weights, widths, spread=spread)
    bins = problem.indices.round().long().clamp(0, widths[-1] - 1)
    ours = fused_bin_nats(bins, problem.positions, problem.layers)
    logits = logits_of(problem.positions.double(), [layer.double() for layer in problem.layers])
    exact = functional.cross_entropy(logits, bins, reduction="none")
    assert ours.dtype == torch.float32
    assert (ours - exact).abs().max() <= 1e-6 * (1 + logits.abs().max())


def test_what_does_not_fit_is_refused() -> None:
    """Shapes, types, bins and temperatures that the loops would misread are errors."""
    index, positions, layers, num_bins = make_problem(5, (2, 3, 10))
    refused = [
        (index[1:], positions, layers, num_bins, 0.1),
        (index, positions[:, 1:], layers, num_bins, 0.1),
        (index, positions, layers[:1] + layers[2:], num_bins, 0.1),
        (index, positions[:, :1], layers[2:], num_bins, 0.1),
        (index, positions, layers, num_bins + 1, 0.1),
        (index, positions, [layers[0].t(), *layers[1:]], num_bins, 0.1),
        (index, positions, [*layers[:2], layers[2][:1], layers[3][:1]], 1, 0.1),
        (index.double(), positions, layers, num_bins, 0.1),
        (index, positions.double(), layers, num_bins, 0.1),
        (index, positions, [layer.to("meta") for layer in layers], num_bins, 0.1),
        (index, positions, layers, num_bins, math.inf),
        (index, positions, layers, num_bins, 0.0),
    ]
    for arguments in refused:
        with pytest.raises(KolmogorovError, match=r"^Cannot (sum|make) .*: expected .*, got "):
            fused_sum(*arguments, True)
    for bins in ([0, 1, 2, 3, 10], [-1, 1, 2, 3, 4]):
        with pytest.raises(KolmogorovError, match="Cannot code bins: expected bins 0 to 9, got"):
            fused_bin_nats(torch.tensor(bins), positions, layers)
