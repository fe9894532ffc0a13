"""Tests of the chunked cross-entropy over near bins against the softmax over weights by bins."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from bitfold.kolmogorov import (
    Bins,
    CoordinatePredictor,
    KolmogorovLoss,
    ParameterTable,
    Prediction,
    SoftTargets,
)
from bitfold.kolmogorov.sums import cross_entropy


def full_reference(
    weights: Tensor, prediction: Prediction, bins: Bins, temperature: float
) -> Tensor:
    """Return the cross-entropies of soft targets over all bins: weights by bins, the slow way."""
    log_probabilities = functional.log_softmax(prediction.outputs(), dim=1)
    index = (weights - bins.minimum) / bins.width
    every = torch.arange(bins.num_bins, dtype=weights.dtype)
    distances = (index.unsqueeze(1) - every).abs()
    shares = functional.softmax(-distances / temperature, dim=1)
    return -(shares * log_probabilities).sum()


def windowed(weights: Tensor, prediction: Prediction, bins: Bins, temperature: float) -> Tensor:
    """Return the sum of the package."""
    targets = SoftTargets(temperature, bins.num_bins)
    return cross_entropy.summed_cross_entropy(weights, prediction, bins, targets)


def problem(num_weights: int, num_bins: int) -> tuple[Bins, list[Tensor]]:
    """Return bins and the leaves: weights up to both limits, hidden values and the last layer."""
    generator = torch.Generator().manual_seed(num_weights + num_bins)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    bins = Bins(num_bins, -1.0, 2.0)
    weights = bins.clamp(normal(num_weights))
    leaves = [weights, normal(num_weights, 3), normal(num_bins, 3) * 2, normal(num_bins)]
    return bins, [leaf.requires_grad_() for leaf in leaves]


@pytest.mark.parametrize("temperature", [0.02, 0.1, 1.0, 500.0])
@pytest.mark.parametrize(("num_weights", "num_bins"), [(1, 2), (50, 3), (300, 64), (1700, 256)])
def test_value_and_gradients_are_those_of_the_full_softmax(
    num_weights: int, num_bins: int, temperature: float
) -> None:
    """Near bins and chunks change neither cost nor gradients by more than 1e-8 relative."""
    bins, leaves = problem(num_weights, num_bins)
    results = []
    for compute in (windowed, full_reference):
        total = compute(leaves[0], Prediction(*leaves[1:]), bins, temperature)
        results.append([total, *torch.autograd.grad(total, leaves)])
    for ours, reference in zip(*results, strict=True):
        scale = reference.detach().abs().max().item()
        torch.testing.assert_close(ours, reference, rtol=0, atol=1e-8 * max(scale, 1e-3))


@pytest.mark.parametrize("temperature", [0.1, 0.7, 30.0])
def test_analytic_gradients_pass_gradcheck(
    temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradients that forward computes agree with finite differences, over several chunks."""
    monkeypatch.setattr(cross_entropy, "CHUNK_NUMEL", 30)
    bins, leaves = problem(11, 9)
    with torch.no_grad():
        # Away from the bins' centres, where the targets have a kink.
        leaves[0].copy_(bins.centres(torch.arange(11) % 8, torch.float64) + 0.3 * bins.width)
    assert torch.autograd.gradcheck(
        lambda weights, *rest: windowed(weights, Prediction(*rest), bins, temperature),
        leaves,
        fast_mode=True,
    )


def test_result_may_be_used_twice() -> None:
    """The cost may stand in a graph several times and be differentiated repeatedly."""
    bins, leaves = problem(40, 16)
    total = windowed(leaves[0], Prediction(*leaves[1:]), bins, 0.1)
    combined = total * 2 + total.square()
    once = torch.autograd.grad(combined, leaves, retain_graph=True)
    again = torch.autograd.grad(combined, leaves)
    plain = torch.autograd.grad(windowed(leaves[0], Prediction(*leaves[1:]), bins, 0.1), leaves)
    factor = 2 + 2 * total.detach()
    for first, second, single in zip(once, again, plain, strict=True):
        assert torch.equal(first, second)
        torch.testing.assert_close(first, single * factor)


def test_without_gradients_the_value_is_the_same() -> None:
    """Under no_grad the cost is that of training, and nothing is recorded."""
    bins, leaves = problem(1700, 256)
    prediction = Prediction(*leaves[1:])
    with torch.no_grad():
        silent = windowed(leaves[0], prediction, bins, 0.1)
    assert not silent.requires_grad
    torch.testing.assert_close(silent, windowed(leaves[0], prediction, bins, 0.1).detach())


def test_large_logits_do_not_overflow() -> None:
    """Logits of a million give the finite cost of a certain prediction."""
    bins = Bins(4, 0.0, 3.0)
    hidden = torch.ones(2, 1)
    matrix = torch.tensor([[1e6], [-1e6], [0.0], [1.0]])
    costs = cross_entropy.bin_nats(torch.tensor([0, 1]), Prediction(hidden, matrix, torch.zeros(4)))
    assert costs.tolist() == [0.0, 2e6]
    total = windowed(
        torch.tensor([0.0, 1.0]), Prediction(hidden, matrix, torch.zeros(4)), bins, 0.1
    )
    assert total.isfinite()


class LargestTensor(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Remembers the size of the largest tensor that an operation made."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for item in result if isinstance(result, tuple | list) else [result]:
            if isinstance(item, Tensor):
                self.numel = max(self.numel, item.numel())
        return result


@pytest.mark.parametrize("temperature", [0.1, 100.0])
def test_nothing_of_weights_by_bins_is_ever_made(temperature: float) -> None:
    """No operation makes a tensor above two chunks, even if all bins are near."""
    network = nn.Linear(99, 100)
    loss = KolmogorovLoss(
        network,
        predictor="coordinate",
        targets="soft",
        temperature=temperature,
        weight_range=(-3, 3),
    )
    limit = 2 * cross_entropy.CHUNK_NUMEL
    assert loss.num_weights * 256 > 9 * limit
    with LargestTensor() as largest:
        loss().backward()
        loss.bits_tensor()
    assert 0 < largest.numel <= limit
    table = ParameterTable(nn.Linear(99, 100, bias=False)).all_weights()
    assert isinstance(loss.predictor, CoordinatePredictor)
    with LargestTensor() as plain:
        full_reference(network.weight.view(-1), loss.predictor.predict(table), loss.bins, 1)
    assert plain.numel > limit
