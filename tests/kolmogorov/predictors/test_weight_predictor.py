"""Tests of predictors that users write themselves."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import (
    CoordinatePredictor,
    KolmogorovLoss,
    PerTensorPredictor,
    WeightPredictor,
)
from tests.kolmogorov.narrowing import gradient_of


class Histograms(WeightPredictor):
    """A histogram for each tensor."""

    def attach(self, layout: Any, bins: Any, generator: Any) -> None:
        """Make the logits."""
        super().attach(layout, bins, generator)
        self.logits = nn.Parameter(torch.zeros(len(layout.blocks), bins.num_bins))

    def forward(self, subset: Any, indices: Any) -> Any:
        """Return the tensor's histogram at the bins."""
        return -self.logits.log_softmax(1)[subset.block_numbers, indices]


def network() -> nn.Sequential:
    """Return a small network."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))


@pytest.mark.parametrize("weight_range", ["auto", (-1.0, 1.0)])
@pytest.mark.parametrize("targets", ["linear", "soft", "noise"])
def test_a_histogram_learns_the_weights(targets: str, weight_range: Any) -> None:
    """Trained on fixed weights, K and bits fall towards the entropy of the shares."""
    module = network()
    loss = KolmogorovLoss(
        module, predictor=Histograms(), bins=16, weight_range=weight_range, targets=targets
    )
    start, start_bits = loss().item(), loss.bits().items["weights"]
    optimizer = torch.optim.Adam(loss.predictor.parameters(), lr=0.1)
    for _ in range(120):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss.bits().items["weights"] < 0.8 * start_bits
    assert loss().item() < start - 0.4
    assert start_bits == pytest.approx(4 * loss.num_weights, rel=1e-3)


def test_a_histogram_learns_its_entropy_exactly() -> None:
    """With linear targets and weights on bins, the least K is the entropy of the bins' counts."""
    module = nn.ParameterList([torch.tensor([0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0])])
    loss = KolmogorovLoss(
        module, predictor=Histograms(), bins=4, weight_range=(0.0, 3.0), predictor_bits=32
    )
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    entropy_bits = 2 / 8 * 3 + 2 / 8 * 2 + 4 / 8 * 1
    assert loss().item() == pytest.approx(entropy_bits * math.log(2), rel=1e-4)
    assert loss.bits().items["weights"] == pytest.approx(8 * entropy_bits, rel=1e-4)


def test_the_predictor_is_counted_and_moves_with_the_loss() -> None:
    """The predictor's parameters belong to the loss, are sent in its precision, and have the
    module's dtype.
    """
    loss = KolmogorovLoss(network().double(), predictor=Histograms(), bins=16, predictor_bits=5)
    assert loss.bits().items["predictor"] == 4 * 16 * 5 + 64
    assert loss.predictor.logits.dtype == torch.float64
    assert any(item is loss.predictor.logits for item in loss.parameters())


def test_chunks_change_nothing() -> None:
    """K and its gradients do not depend on the size of chunks."""
    module = network().double()
    results = []
    for chunk in (2**16, 7):
        predictor = Histograms()
        predictor.chunk = predictor.bits_chunk = chunk
        loss = KolmogorovLoss(module, predictor=predictor, bins=16)
        with torch.no_grad():
            predictor.logits.copy_(torch.linspace(-1, 1, 64).view(4, 16))
        value = loss()
        gradients = torch.autograd.grad(value, [*module.parameters(), *loss.parameters()])
        results.append([value.detach(), *gradients, loss.bits_tensor()])
    for whole, parts in zip(*results, strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-12, atol=1e-15)


def test_wide_windows_are_worked_on_in_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window of many bins never makes a tensor of all weights by all bins."""
    from bitfold.kolmogorov.predictors import weight_predictor

    monkeypatch.setattr(weight_predictor, "_MOST_SHARES", 200)
    predictor, sizes = Histograms(), []
    loss = KolmogorovLoss(network(), predictor=predictor, bins=64, targets="soft", temperature=10.0)
    predictor.register_forward_pre_hook(lambda _, given: sizes.append(given[1].numel()))
    loss()
    assert max(sizes) <= 200
    assert sum(sizes) == 64 * loss.num_weights


@pytest.mark.parametrize("predictor", [Histograms, CoordinatePredictor, PerTensorPredictor])
def test_frozen_predictors_describe_without_learning(predictor: Any) -> None:
    """A frozen predictor gets no gradient; the network's gradient is unchanged."""
    module, made = network(), predictor()
    loss = KolmogorovLoss(module, predictor=made, bins=16)
    with torch.no_grad():
        for item in made.parameters():
            item.add_(torch.linspace(-0.1, 0.1, item.numel()).view_as(item))
    expected = torch.autograd.grad(loss(), list(module.parameters()))
    made.requires_grad_(False)
    loss().backward()
    assert all(item.grad is None for item in made.parameters())
    for item, gradient in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(item.grad, gradient)
    only_first = next(made.parameters()).requires_grad_(True)
    loss().backward()
    assert only_first.grad is not None


def test_a_predictor_without_parameters_works() -> None:
    """A predictor without parameters takes no bits."""

    class Uniform(WeightPredictor):
        def forward(self, subset: Any, indices: Any) -> Any:
            return torch.full(indices.shape, math.log(self.bins.num_bins))

    module = network()
    loss = KolmogorovLoss(module, predictor=Uniform(), bins=32, weight_range=(-1.0, 1.0))
    assert loss().item() == pytest.approx(math.log(32))
    assert loss.bits().items["predictor"] == 0
    assert loss.bits().items["weights"] == pytest.approx(5 * loss.num_weights)
    loss().backward()
    assert (gradient_of(module.get_parameter("0.weight")) == 0).all()


@pytest.mark.parametrize("weight_range", ["auto", (-1.0, 1.0)])
def test_a_predictor_is_fitted_to_the_weights_as_they_are(weight_range: Any) -> None:
    """The predictor is fitted once, to all weights in units of the bins, clamped to the range."""
    given = []

    class Fitted(Histograms):
        def fit(self, subset: Any, values: Any) -> None:
            given.append((len(subset), values))

    module = network()
    with torch.no_grad():
        module.get_parameter("0.weight")[0] = torch.tensor([1e30, -1e30, 0.2, 0, 5, -5])
    loss = KolmogorovLoss(module, predictor=Fitted(), weight_range=weight_range, bins=16)
    ((count, values),) = given
    assert count == len(values) == loss.num_weights
    assert values[:2].tolist() == [loss.bins.maximum, loss.bins.minimum]
    assert values.abs().max() <= max(loss.bins.maximum, -loss.bins.minimum)


def test_what_depends_on_places_may_use_all_of_them() -> None:
    """Positions, outputs and inputs are available for all weights and for samples."""

    class ByPlace(Histograms):
        def forward(self, subset: Any, indices: Any) -> Any:
            logits = self.logits[subset.block_numbers]
            slope = subset.positions[:, 1:2] + subset.outputs[:, None] - subset.inputs[:, None]
            bins = torch.linspace(-1, 1, self.bins.num_bins)
            return -(logits + slope * bins).log_softmax(1).gather(1, indices.t()).t()

    module = network()
    for sample in (None, 20):
        loss = KolmogorovLoss(module, predictor=ByPlace(), bins=16, sample=sample)
        loss().backward()
        assert math.isfinite(float(loss.bits()))


def test_a_predictor_describes_one_module() -> None:
    """A second loss refuses the predictor, and the first loss is unchanged."""
    module, predictor = network(), CoordinatePredictor()
    first = KolmogorovLoss(module, predictor=predictor)
    before = first().item()
    with pytest.raises(KolmogorovError, match=r"CoordinatePredictor.*Make one for each loss"):
        KolmogorovLoss(nn.Linear(2, 2), predictor=predictor)
    assert first().item() == before


class Broken(Histograms):
    """A predictor whose costs are changed by a function."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.change = change

    def forward(self, subset: Any, indices: Any) -> Any:
        """Return the changed costs."""
        return self.change(super().forward(subset, indices), subset)


class Forgetful(WeightPredictor):
    """A predictor whose attach does not call the base's."""

    def attach(self, layout: Any, bins: Any, generator: Any) -> None:
        """Do not call the base class."""

    def forward(self, subset: Any, indices: Any) -> Any:
        """Return nothing."""
        return indices.float()


BROKEN = {
    "add up to at most 1, got 2": lambda: Broken(lambda nats, _: nats - math.log(2)),
    "add up to at most 1, got 1.5": lambda: Broken(
        lambda nats, subset: nats - math.log(1.5) * (subset.block_numbers == 3)
    ),
    "shape .* as the indices given, got": lambda: Broken(lambda nats, _: nats[0]),
    "finite costs": lambda: Broken(lambda nats, _: nats * math.nan),
    "finite costs, got NaN or infinite": lambda: Broken(
        lambda nats, subset: nats + torch.where(subset.outputs == 2, math.inf, 0.0)
    ),
    "its attach to call": Forgetful,
}


@pytest.mark.parametrize("message", list(BROKEN))
def test_predictors_that_no_decoder_could_use_are_refused(message: Any) -> None:
    """Masses above 1, even in one tensor, wrong shapes, NaN and infinity get an error that names
    them.
    """
    with pytest.raises(KolmogorovError, match=f"Cannot use the predictor .*{message}") as caught:
        KolmogorovLoss(network(), predictor=BROKEN[message](), bins=16)
    assert "\n" not in str(caught.value)


def test_what_is_no_predictor_is_refused_in_one_line() -> None:
    """Other modules, and classes in place of instances, get an error that names their type."""
    wrong: Any
    for wrong, found in ((nn.Sequential(nn.ReLU()), "a Sequential"), (Histograms, "a ABCMeta")):
        with pytest.raises(KolmogorovError, match=f"one of coordinate, .* got {found}") as caught:
            KolmogorovLoss(network(), predictor=wrong)
        assert "\n" not in str(caught.value)


def test_the_abstract_class_cannot_be_used_itself() -> None:
    """A predictor without a forward cannot be made."""
    with pytest.raises(TypeError, match="abstract"):
        WeightPredictor()  # type: ignore[abstract] # it is what fails
