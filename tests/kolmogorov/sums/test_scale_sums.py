"""Tests of the compiled sums of scale predictors against autograd."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from bitfold.kolmogorov import KolmogorovLoss, PerTensorPredictor, RowColumnPredictor
from bitfold.kolmogorov.grid.soft_assignment import (
    LinearTargets,
    NoiseTargets,
    SoftTargets,
    Targets,
)
from bitfold.kolmogorov.predictors.weight_predictor import Summed, WeightPredictor
from bitfold.kolmogorov.sums import scale_sums
from bitfold.kolmogorov.weights.weight_subset import WeightSubset

PREDICTORS = [PerTensorPredictor, RowColumnPredictor]
DISTRIBUTIONS = ["laplace", "logistic"]
#: Ranges of many and few bins, with 0 on a bin or between two; weights in and far out of range.
GRIDS = [
    {"weight_range": "auto", "bins": 256},
    {"weight_range": "auto", "bins": 4},
    {"weight_range": (-0.5, 0.5), "bins": 16},
    {"weight_range": (-0.3, 2.0), "bins": 3},
    {"weight_range": (-0.3, 0.3), "bins": 2},
]
MAKE_TARGETS: dict[str, Callable[[int], Targets]] = {
    "linear": LinearTargets,
    "noise": lambda num_bins: NoiseTargets(num_bins, seed=7),
}


@pytest.fixture(autouse=True)
def _same_number_of_threads() -> Iterator[None]:
    """Restore PyTorch's number of threads after each test."""
    num_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(num_threads)


def slow_sum(
    loss: KolmogorovLoss, subset: WeightSubset, values: Tensor, targets: Targets
) -> Summed:
    """Return the base class's sum, by PyTorch's operations."""
    return WeightPredictor.summed(loss.predictor, subset, values, targets, with_gradients=True)


def assert_equal_sums(found: Summed, expected: Summed, tolerance: float) -> None:
    """Assert equal sums relative to their size, and gradients relative to their largest entry."""
    assert found.nats.dtype == expected.nats.dtype == torch.float64
    torch.testing.assert_close(found.nats, expected.nats, rtol=tolerance, atol=0)
    pairs = zip(
        [found.grad_values, *found.grad_parameters],
        [expected.grad_values, *expected.grad_parameters],
        strict=True,
    )
    for ours, theirs in pairs:
        largest = theirs.abs().max().item() if len(theirs) else 0.0
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * max(largest, 1e-3))


@pytest.mark.parametrize("targets", ["linear", "noise"])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_compiled_sums_are_those_of_autograd(
    predictor: Any,
    distribution: Any,
    grid: Any,
    targets: str,
    make_scale_loss: Callable[..., KolmogorovLoss],
) -> None:
    """Value and all gradients agree to 1e-12: in range and out of it, with the same noise."""
    loss = make_scale_loss(predictor(distribution), **grid)
    subset, values = loss.subsampling.all_weights(), loss._values()
    assert (loss.num_out_of_range() > 0) == (grid != GRIDS[0])
    make = MAKE_TARGETS[targets]
    assert scale_sums.can_sum_scales(subset, values, make(grid["bins"]))
    found = loss.predictor.summed(subset, values, make(grid["bins"]), with_gradients=True)
    assert_equal_sums(found, slow_sum(loss, subset, values, make(grid["bins"])), 1e-12)


@pytest.mark.parametrize("targets", ["linear", "noise"])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_compiled_sums_keep_single_precision(
    predictor: Any,
    distribution: Any,
    grid: Any,
    targets: str,
    make_scale_loss: Callable[..., KolmogorovLoss],
) -> None:
    """float32 sums are within 1e-6 of float64 sums, and gradients within 1e-5."""
    loss = make_scale_loss(predictor(distribution), torch.float32, **grid)
    subset, make = loss.subsampling.all_weights(), MAKE_TARGETS[targets]
    # Multiples of 2^-9 have the same index in both dtypes.
    values = (loss._values() * 512).round() / 512
    found = loss.predictor.summed(subset, values, make(grid["bins"]), with_gradients=True)
    assert {item.dtype for item in (found.grad_values, *found.grad_parameters)} == {torch.float32}
    # Both dtypes use the same draws, because the generators' streams differ.
    reference = make(grid["bins"])
    if targets == "noise":
        reference = DrawnTargets(grid["bins"], make(grid["bins"]))
    loss.double()
    expected = slow_sum(loss, subset, values.double(), reference)
    as_double = Summed(found.nats, found.grad_values.double(), [g.double() for g in found[2]])
    torch.testing.assert_close(as_double.nats, expected.nats, rtol=1e-6, atol=0)
    assert_equal_sums(as_double, expected, 1e-5)


class DrawnTargets(Targets):
    """Noise drawn in float32, for indices in float64."""

    def __init__(self, num_bins: int, noise: Targets) -> None:
        self.num_bins, self.noise = num_bins, noise

    @property
    def window(self) -> int:
        """Return the width of the window, the two nearest bins."""
        return 2

    def shares(self, index: Any) -> Any:
        """Return the shares of the noisy indices, rounded to float32."""
        shares = self.noise.shares(index.float())
        return shares._replace(shares=shares.shares.double(), slopes=shares.slopes.double())


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_stretch_may_begin_and_end_anywhere(
    distribution: Any, make_scale_loss: Callable[..., KolmogorovLoss]
) -> None:
    """Stretches that cut rows and kernels add up to the whole, and each agrees with autograd."""
    loss = make_scale_loss(RowColumnPredictor(distribution))
    values, targets = loss._values(), LinearTargets(256)
    bounds = [0, 1, 40, 41, 95, 100, 290, 291, loss.num_weights]
    total = torch.zeros((), dtype=torch.float64)
    for start, stop in pairwise(bounds):
        subset = WeightSubset(loss.table.layout, start, stop, values.device)
        found = loss.predictor.summed(subset, values[start:stop], targets, with_gradients=True)
        assert_equal_sums(found, slow_sum(loss, subset, values[start:stop], targets), 1e-12)
        total += found.nats
    whole = loss.predictor.summed(
        loss.subsampling.all_weights(), values, targets, with_gradients=False
    )
    torch.testing.assert_close(total, whole.nats, rtol=1e-13, atol=0)
    assert len(whole.grad_values) == 0


@pytest.mark.parametrize("targets", ["linear", "noise"])
def test_the_number_of_threads_changes_no_bit(
    targets: str, monkeypatch: pytest.MonkeyPatch, make_scale_loss: Callable[..., KolmogorovLoss]
) -> None:
    """The sum does not depend on threads: parts depend on sizes alone and are added in order."""
    monkeypatch.setattr(scale_sums, "_PART_WEIGHTS", 50)
    loss = make_scale_loss(RowColumnPredictor())
    subset, values = loss.subsampling.all_weights(), loss._values()
    results = []
    for num_threads in (1, 2, 3):
        torch.set_num_threads(num_threads)
        drawn = MAKE_TARGETS[targets](256)
        found = loss.predictor.summed(subset, values, drawn, with_gradients=True)
        results.append([found.nats, found.grad_values, *found.grad_parameters])
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))
    expected = slow_sum(loss, subset, values, MAKE_TARGETS[targets](256))
    assert_equal_sums(found, expected, 1e-12)


def test_bins_of_a_stretch_are_coded_in_parts(
    monkeypatch: pytest.MonkeyPatch, make_scale_loss: Callable[..., KolmogorovLoss]
) -> None:
    """Costs of bins agree for any number of threads and any start of the stretch."""
    monkeypatch.setattr(scale_sums, "_PART_WEIGHTS", 50)
    torch.set_num_threads(2)
    loss = make_scale_loss(RowColumnPredictor())
    subset = WeightSubset(loss.table.layout, 13, 400, torch.device("cpu"))
    indices = torch.arange(2 * len(subset)).view(2, -1) % 256
    slow = loss.predictor(subset, indices).detach()
    with torch.no_grad():
        torch.testing.assert_close(loss.predictor(subset, indices), slow, rtol=1e-12, atol=1e-14)


def test_others_than_stretches_between_two_bins_on_the_cpu_are_left_to_autograd(
    make_scale_loss: Callable[..., KolmogorovLoss],
) -> None:
    """Samples, soft targets and other cases take the PyTorch way, with the same cost."""
    loss = make_scale_loss(RowColumnPredictor())
    subset, values, linear = loss.subsampling.all_weights(), loss._values(), LinearTargets(256)
    assert scale_sums.can_sum_scales(subset, values, linear)
    assert not scale_sums.can_sum_scales(subset, values, SoftTargets(0.5, 256))
    assert not scale_sums.can_sum_scales(subset, values.half(), linear)
    assert not scale_sums.can_sum_scales(subset, values.to("meta"), linear)
    chosen = torch.arange(0, len(subset), 3)
    some = WeightSubset(loss.table.layout, 0, len(subset), subset.device, chosen=chosen)
    assert not scale_sums.can_sum_scales(some, values[chosen], linear)
    sums = [
        loss.predictor.summed(some, values[chosen], targets, with_gradients=True).nats
        for targets in (linear, SoftTargets(1e-6, 256))
    ]
    everything = loss.predictor.summed(subset, values, linear, with_gradients=False).nats
    assert 0 < sums[0] < everything
    assert sums[1] != sums[0]
