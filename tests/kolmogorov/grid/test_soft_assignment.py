"""Tests of the targets: formulas, slopes, unbiased noise, hard targets without a gradient."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import (
    KINDS,
    TARGETS,
    HardTargets,
    KolmogorovLoss,
    LinearTargets,
    NoiseTargets,
    SoftTargets,
    WeightPredictor,
)


class Histogram(WeightPredictor):
    """One rugged distribution for all weights, in float64."""

    def attach(self, layout: Any, bins: Any, generator: Any) -> None:
        """Make the logits."""
        super().attach(layout, bins, generator)
        logits = torch.randn(bins.num_bins, generator=torch.Generator().manual_seed(4))
        self.logits = nn.Parameter(logits)

    def forward(self, subset: Any, indices: Any) -> Any:
        """Return the softmax of the logits."""
        return -self.logits.log_softmax(0)[indices]


def make(
    targets: str, *, num_bins: int = 8
) -> tuple[nn.ParameterList, KolmogorovLoss, torch.Tensor]:
    """Return forty weights over a grid of width 1, some near its ends, and the costs."""
    generator = torch.Generator().manual_seed(0)
    last = num_bins - 1
    weights = torch.rand(36, generator=generator, dtype=torch.float64) * last
    near_ends = torch.tensor([0.1, 0.4, last - 0.3, last - 0.05], dtype=torch.float64)
    module = nn.ParameterList([torch.cat([weights, near_ends])])
    loss = KolmogorovLoss(
        module,
        predictor=Histogram(),
        bins=num_bins,
        weight_range=(0.0, float(last)),
        targets=targets,
        temperature=0.4,
        generator=torch.Generator().manual_seed(1),
    )
    return module, loss, -loss.predictor.get_parameter("logits").detach().log_softmax(0)


def interpolated(costs: list[float], x: float) -> float:
    """Return the costs of bins, interpolated linearly and constant beyond the ends."""
    x = min(max(x, 0.0), len(costs) - 1.0)
    k = min(int(x), len(costs) - 2)
    return costs[k] * (k + 1 - x) + costs[k + 1] * (x - k)


def mean_around(costs: list[float], x: float) -> float:
    """Return the mean of the interpolated costs over one bin around x, piece by piece."""
    ends = [x - 0.5, *(k for k in range(len(costs)) if abs(k - x) < 0.5), x + 0.5]
    return sum(
        (b - a) * (interpolated(costs, a) + interpolated(costs, b)) / 2 for a, b in pairwise(ends)
    )


def naive_shares(targets: str, x: float, num_bins: int) -> list[float]:
    """Return a weight's share in every bin, by the formula."""
    if targets == "hard":
        return [float(round(x) == j) for j in range(num_bins)]
    if targets == "linear":
        return [max(0.0, 1 - abs(x - j)) for j in range(num_bins)]
    terms = [math.exp(-abs(x - j) / 0.4) for j in range(num_bins)]
    return [term / sum(terms) for term in terms]


@pytest.mark.parametrize("targets", ["soft", "linear", "hard"])
def test_shares_are_those_of_the_formula(targets: str) -> None:
    """Windows, shares and, by differences, slopes equal a count over all bins in plain Python."""
    made = {
        "soft": SoftTargets(0.4, 30),
        "linear": LinearTargets(30),
        "hard": HardTargets(30),
    }[targets]
    index = torch.tensor([0.0, 0.2, 3.0, 7.49, 7.51, 28.6, 29.0], dtype=torch.float64)
    bins, shares, slopes = made.shares(index)
    full = torch.zeros(30, len(index), dtype=torch.float64).scatter_(0, bins, shares)
    expected = torch.tensor([naive_shares(targets, x, 30) for x in index.tolist()]).t()
    torch.testing.assert_close(full, expected.double(), atol=2e-7, rtol=0)
    between = (index != index.floor()).nonzero().squeeze(1)
    for number in between.tolist():
        x, step = index[number].item(), 1e-6
        above, below = (naive_shares(targets, x + sign * step, 30) for sign in (1, -1))
        for row, j in enumerate(bins[:, number].tolist()):
            slope = (above[j] - below[j]) / (2 * step)
            assert slopes[row, number].item() == pytest.approx(slope, abs=1e-5)
    torch.testing.assert_close(slopes.sum(0), torch.zeros_like(index), atol=1e-12, rtol=0)


def test_linear_targets_give_the_true_slope_everywhere() -> None:
    """Each weight's gradient is the cost of the bin above less that of the bin below, exactly."""
    module, loss, costs = make("linear")
    value = loss()
    value.backward()
    weights = module[0].detach()
    below = weights.floor().long()
    expected = (costs[below + 1] - costs[below]) / len(weights)
    torch.testing.assert_close(module[0].grad, expected, rtol=1e-12, atol=0)
    naive = sum(interpolated(costs.tolist(), x) for x in weights.tolist()) / len(weights)
    assert value.item() == pytest.approx(naive, rel=1e-12)


def test_noise_is_unbiased() -> None:
    """Over many draws K and its gradients have the mean of the expectation, also at the ends."""
    module, loss, costs = make("noise")
    learned = [*module, loss.predictor.get_parameter("logits")]
    draws, gradients = [], []
    for _ in range(2000):
        value = loss()
        draws.append(value.item())
        gradients.append(torch.cat(torch.autograd.grad(value, learned)))
    weights, table = module[0].detach(), costs.tolist()
    expected = sum(mean_around(table, x) for x in weights.tolist()) / len(weights)
    error = torch.tensor(draws).std().item() / math.sqrt(len(draws))
    assert abs(sum(draws) / len(draws) - expected) < 4 * error
    # The derivative of the mean over one bin is the difference of the costs at its two ends.
    slopes = [interpolated(table, x + 0.5) - interpolated(table, x - 0.5) for x in weights.tolist()]
    shares = torch.zeros(len(table), dtype=torch.float64)
    for x in weights.tolist():
        unit = torch.eye(len(table), dtype=torch.float64)
        shares += torch.tensor([mean_around(row, x) for row in unit.tolist()])
    by_logits = len(weights) * torch.exp(-costs) - shares
    both = torch.cat([torch.tensor(slopes, dtype=torch.float64), by_logits]) / len(weights)
    found = torch.stack(gradients)
    errors = found.std(0) / math.sqrt(len(found))
    assert ((found.mean(0) - both).abs() <= 5 * errors + 1e-12).all()
    assert (errors[: len(weights)] > 0).sum() > len(weights) / 2


def test_noise_differs_at_each_step_and_is_reproducible() -> None:
    """Every step draws anew; the same seed, or a restored state, draws the same."""
    values = []
    for _ in range(2):
        _, loss, _ = make("noise")
        values.append([loss().item() for _ in range(5)])
    assert values[0] == values[1]
    assert len(set(values[0])) == 5
    _, loss, _ = make("noise")
    loss(), loss()
    module, restored, _ = make("noise")
    other = KolmogorovLoss(
        module,
        predictor=Histogram(),
        bins=8,
        weight_range=(0.0, 7.0),
        targets="noise",
        generator=torch.Generator().manual_seed(99),
    )
    assert other().item() != values[0][0]
    for resumed in (restored, other):
        resumed.load_state_dict(loss.state_dict())
        assert [resumed().item() for _ in range(3)] == values[0][2:]


def test_noise_is_the_same_without_gradients() -> None:
    """Evaluation gives the value of the next step and counts no step."""
    _, loss, _ = make("noise")
    with torch.no_grad():
        evaluated = [loss().item() for _ in range(3)]
    loss.eval()
    evaluated.append(loss().item())
    loss.train()
    assert {loss().item()} == set(evaluated)
    assert loss().item() != evaluated[0]


def test_noise_spares_the_global_random_state() -> None:
    """Noise does not use PyTorch's global generator."""
    _, loss, _ = make("noise")
    state = torch.random.get_rng_state()
    first = loss().item()
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(123)
    _, loss, _ = make("noise")
    assert loss().item() == first


def test_noise_is_uniform_over_one_bin_and_new_for_each_weight() -> None:
    """Indices far from the ends move by independent uniform noise of at most half a bin."""
    noisy, moves = NoiseTargets(256, seed=5).perturb(torch.full((20_000,), 100.0))
    moved = noisy - 100
    assert moves.all()
    assert moved.min() >= -0.5
    assert moved.max() <= 0.5
    counts = torch.histc(moved, 10, -0.5, 0.5)
    assert (counts - 2000).abs().max() < 5 * math.sqrt(2000)
    assert abs((moved[1:] * moved[:-1]).mean()) < 5 / 12 / math.sqrt(20_000)


def test_noise_is_clipped_at_the_ends_alone() -> None:
    """At an end half of the draws are clipped and do not move; weights out of range stay."""
    index = torch.tensor([0.0, 7.0, 3.0, -2.0, 9.0]).repeat(1000)
    noisy, moves = NoiseTargets(8, seed=1).perturb(index)
    assert noisy[index <= 7].min() >= min(0, -2)
    clipped = ~moves.view(1000, 5)
    assert clipped.float().mean(0)[:2].tolist() == pytest.approx([0.5, 0.5], abs=0.06)
    assert not clipped[:, 2:].any()
    assert torch.equal(noisy.view(1000, 5)[:, 3:], index.view(1000, 5)[:, 3:])


@pytest.mark.parametrize(
    ("predictor", "kind"),
    [*(("coordinate", kind) for kind in KINDS), ("row_column", None), ("per_tensor", None)],
)
@pytest.mark.parametrize("weight_range", ["auto", (-0.4, 0.4)])
def test_hard_k_is_the_bits(predictor: Any, kind: Any, weight_range: Any) -> None:
    """With hard targets K is the hard bits under the unrounded predictor, escapes included."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3))
    loss = KolmogorovLoss(
        module,
        predictor=predictor,
        kind=kind,
        weight_range=weight_range,
        targets="hard",
        predictor_bits=32,
    )
    with torch.no_grad():
        module.get_parameter("0.weight")[0, :2] = torch.tensor([3.0, -9.0])
    items = loss.bits().items
    expected = (items["weights"] + items["out_of_range"]) * math.log(2) / loss.num_weights
    assert items["out_of_range"] > 0
    # Locations and scales are sent rounded, and a weight far out has another code.
    rel = 0.05 if predictor != "coordinate" else 1e-3 if kind == "cross_entropy" else 1e-6
    assert loss().item() == pytest.approx(expected, rel=rel)


def test_soft_targets_approach_hard_ones() -> None:
    """The lower the temperature, the closer K is to that of hard targets."""
    module, hard, _ = make("hard")
    gaps = []
    for temperature in (1.0, 0.3, 0.1, 0.03, 0.003):
        loss = KolmogorovLoss(
            module,
            predictor=Histogram(),
            bins=8,
            weight_range=(0.0, 7.0),
            targets="soft",
            temperature=temperature,
        )
        gaps.append(abs(loss().item() - hard().item()))
    # In the edge bins hard targets count the bit that says there is no overshoot.
    nearest = module[0].detach().round()
    edge_bits = ((nearest == 0) | (nearest == 7)).sum().item()
    assert gaps[-1] == pytest.approx(edge_bits * math.log(2) / 40, abs=1e-3)


def test_hard_targets_refuse_their_gradient() -> None:
    """The error is raised by backward, not by evaluating K."""
    module, loss, _ = make("hard")
    value = loss()
    with pytest.raises(KolmogorovError) as caught:
        (value + module[0].square().sum()).backward()
    message = str(caught.value)
    assert message.startswith("Cannot differentiate K with hard targets: ")
    assert "within its bin" in message
    assert "never learn" in message
    assert message.count(".") == 1
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize("kind", list(KINDS))
def test_cut_targets_give_the_network_no_gradient(kind: str) -> None:
    """Cut targets give the network no gradient, even out of range; the predictor still learns."""
    module = nn.Linear(6, 5, dtype=torch.float64)
    with torch.no_grad():
        module.weight[0, 0] = 9.0
    made = {
        name: KolmogorovLoss(
            module,
            predictor="coordinate",
            kind=kind,
            weight_range=(-1.0, 1.0),
            targets=name,
            generator=torch.Generator().manual_seed(0),
        )
        for name in ("cut", "rounded")
    }
    cut = made["cut"]()
    cut.backward()
    assert cut.item() == pytest.approx(made["rounded"]().item(), rel=1e-12)
    for weight in module.parameters():
        assert weight.grad is not None
        assert (weight.grad == 0).all()
    assert any((p.grad is not None and p.grad.any()) for p in made["cut"].parameters())


def test_every_name_of_targets_works() -> None:
    """Each name of targets gives a loss that can be called and differentiated."""
    for name in TARGETS:
        _, loss, _ = make(name)
        assert loss().isfinite()
        assert math.isfinite(float(loss.bits()))
