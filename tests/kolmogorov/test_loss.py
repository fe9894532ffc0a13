"""Tests of the Kolmogorov loss as a whole: its gradients, its settings and its copies."""

import copy
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import KINDS, CoordinatePredictor, KolmogorovLoss
from tests.kolmogorov.narrowing import gradient_of


def slope_by_differences(
    function: Any, parameters: Any, directions: Any, step: float = 1e-6
) -> float:
    """Return the central difference of ``function`` when parameters move along the directions."""
    values: list[float] = []
    for sign in (1, -1):
        with torch.no_grad():
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.add_(direction, alpha=sign * step)
            values.append(function().item())
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.sub_(direction, alpha=sign * step)
    return (values[0] - values[1]) / (2 * step)


def slopes_agree(function: Any, module: nn.Module) -> bool:
    """Compare autograd with finite differences in several random directions."""
    parameters = list(module.parameters())
    gradients = torch.autograd.grad(function(), parameters, allow_unused=True)
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        directions = [
            torch.randn(item.shape, generator=generator, dtype=item.dtype) for item in parameters
        ]
        expected = slope_by_differences(function, parameters, directions)
        found = sum(
            float((gradient * direction).sum())
            for gradient, direction in zip(gradients, directions, strict=True)
            if gradient is not None
        )
        if not (abs(expected) > 1e-4 and math.isclose(found, expected, rel_tol=1e-4)):
            return False
    return True


def hard_binned(loss: KolmogorovLoss) -> Any:
    """Bin weights before the cost, as in the seed's bug."""
    assert isinstance(loss.predictor, CoordinatePredictor)
    prediction = loss.predictor.predict(loss.table.all_weights())
    log_probabilities = functional.log_softmax(prediction.outputs(), dim=1)
    return functional.nll_loss(log_probabilities, loss.bins.nearest(loss.table.flatten()))


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_gradient_reaches_network_and_predictor(
    kind: Any, temperature: float, network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """In float64 the gradient equals finite differences, for the network and the predictor."""
    loss = make_loss(kind=kind, temperature=temperature, bins=32)
    assert loss.num_out_of_range() > 0
    assert slopes_agree(loss, network)
    assert slopes_agree(loss, loss)


def test_hard_binning_fails_the_same_test(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """With rounded bins the predictor gets a gradient and the network gets none."""
    loss = make_loss(bins=32)
    assert slopes_agree(lambda: hard_binned(loss), loss)
    gradients = torch.autograd.grad(
        hard_binned(loss), list(network.parameters()), allow_unused=True
    )
    assert [item is None for item in gradients] == [True] * 4


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_weight_gets_a_gradient(
    kind: Any, network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """All weights get a gradient; beyond the range it pulls them back."""
    loss = make_loss(kind=kind, temperature=0.5)
    loss().backward()
    for parameter in network.parameters():
        assert (gradient_of(parameter) != 0).all()
        outside = parameter.detach().abs() > 3
        assert torch.equal(
            gradient_of(parameter)[outside].sign(), parameter.detach()[outside].sign()
        )


@pytest.mark.parametrize("kind", list(KINDS))
def test_k_grows_with_the_overshoot_and_is_continuous(
    kind: Any, network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """K is continuous at the limit and rises as a weight moves outwards."""
    loss = make_loss(kind=kind)
    values = []
    for weight in (3.0, 3.0 + 1e-9, 3.1, 4.0, 30.0, 1e6, 1e30, 1e300):
        with torch.no_grad():
            network.get_parameter("0.weight")[2, 1] = weight
        values.append(loss().item())
    assert values[1] - values[0] == pytest.approx(0, abs=1e-7)
    assert all(later > earlier for earlier, later in pairwise(values))
    assert math.isfinite(values[-1])


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("size", [1e30, 3e38])
def test_k_and_bits_are_finite_for_any_finite_weights(kind: Any, size: float) -> None:
    """The largest float32 weights give a finite K, finite gradients, finite bits."""
    network = nn.Linear(3, 3)
    loss = KolmogorovLoss(network, predictor="coordinate", kind=kind, weight_range=(-3.0, 3.0))
    with torch.no_grad():
        network.weight.fill_(size)
        network.bias.fill_(-size)
    value = loss()
    value.backward()
    assert value.isfinite()
    assert gradient_of(network.weight).isfinite().all()
    assert math.isfinite(loss.bits().total)
    assert loss.num_out_of_range() == 12
    torch.testing.assert_close(loss.decoded_state()["weight"], network.weight.detach())


@pytest.mark.parametrize("kind", list(KINDS))
def test_weights_that_are_not_finite_show(kind: Any) -> None:
    """NaN weights make K and bits NaN; they neither crash nor hide."""
    network = nn.Linear(3, 3)
    loss = KolmogorovLoss(network, predictor="coordinate", kind=kind)
    with torch.no_grad():
        network.weight[0, 0] = math.nan
    assert loss().isnan()
    assert math.isnan(loss.bits().total)
    assert loss.bits_tensor().isnan()


def test_in_range_k_is_the_plain_soft_cross_entropy(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """With all weights in range K is the mean cross-entropy of the seed's soft targets."""
    loss = make_loss()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.clamp_(-2.9, 2.9)
    weights = torch.cat([parameter.view(-1) for parameter in network.parameters()])
    index = (weights + 3) / 6 * 255
    shares = torch.softmax(-(index.unsqueeze(1) - torch.arange(256)).abs() / 0.1, dim=1)
    assert isinstance(loss.predictor, CoordinatePredictor)
    logits = loss.predictor.predict(loss.table.all_weights()).outputs()
    expected = -(shares * functional.log_softmax(logits, dim=1)).sum(dim=1).mean()
    assert loss().item() == pytest.approx(expected.item(), rel=1e-9)


def test_mse_is_the_mean_square_in_range(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """With all weights in range `mse` is the mean squared difference to the predicted value."""
    loss = make_loss(kind="mse", weight_range=(-30.0, 30.0))
    weights = torch.cat([parameter.view(-1) for parameter in network.parameters()])
    assert isinstance(loss.predictor, CoordinatePredictor)
    values = loss.predictor.predict(loss.table.all_weights()).outputs().squeeze(1)
    assert loss().item() == pytest.approx((weights - values).square().mean().item(), rel=1e-12)


@pytest.mark.parametrize("kind", list(KINDS))
def test_training_both_shortens_the_description(kind: Any) -> None:
    """A few hundred steps on K alone reduce K and the hard bits of the weights."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    loss = KolmogorovLoss(
        network, predictor="coordinate", kind=kind, bins=64, weight_range=(-3.0, 3.0)
    )
    optimizer = torch.optim.Adam([*network.parameters(), *loss.parameters()], lr=0.04)
    start, start_bits = loss().item(), loss.bits().items["weights"]
    for _ in range(150):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < 0.8 * start
    assert loss.bits().items["weights"] < start_bits


def test_module_is_not_registered(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """The loss holds only the predictor's parameters, modules and state."""
    loss = make_loss()
    own = {id(parameter) for parameter in loss.parameters()}
    assert own == {id(parameter) for parameter in loss.predictor.parameters()}
    assert network not in list(loss.modules())
    assert all(name.startswith("predictor.") for name in loss.state_dict())


def test_state_round_trips(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """A loss with another's state gives the other's K exactly."""
    first, second = make_loss(), make_loss()
    with torch.no_grad():
        second.predictor.get_parameter("head.bias").add_(torch.linspace(-1, 1, 256))
    assert first() != second()
    second.load_state_dict(first.state_dict())
    assert first() == second()


def test_copies_of_module_and_loss_belong_together(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """Copied together, the copy of the loss describes the copy of the module; copied alone, it has
    its own copy.
    """
    loss = make_loss()
    before = loss().item()
    copied_network, copied_loss = copy.deepcopy((network, loss))
    alone = copy.deepcopy(loss)
    with torch.no_grad():
        copied_network.get_parameter("0.weight").add_(1)
    assert copied_loss().item() != before
    assert loss().item() == alone().item() == before


def test_works_in_the_parameters_type() -> None:
    """K has the widest dtype of the parameters, at least float32; gradients have the parameters'
    dtypes.
    """
    for dtype, expected in (
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float64, torch.float64),
    ):
        network = nn.Linear(3, 3, dtype=dtype)
        value = KolmogorovLoss(network)()
        value.backward()
        assert value.dtype == expected
        assert gradient_of(network.weight).dtype == dtype


def test_mixed_precision_does_not_change_k(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """K is the same under autocast."""
    loss = make_loss().float()
    expected = loss().item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert loss().item() == expected
        bits = loss.bits().total
    assert bits == loss.bits().total


def test_counts_weights_out_of_range(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """Weights beyond a limit are counted; weights at a limit are not."""
    loss = make_loss()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.get_parameter("0.bias")[:4] = torch.tensor([3.0, 3.001, -3.0, -99.0])
    assert loss.num_out_of_range() == 2
    assert loss.out_of_range_count().dtype == torch.int64


def test_global_random_state_is_spared(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """A loss with a generator draws nothing from the global random state."""
    state = torch.random.get_rng_state()
    loss = make_loss()
    loss().backward()
    loss.bits()
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bins": 1}, "expected 2 to 65536 bins, got 1"),
        ({"weight_range": (1.0, 1.0)}, r"minimum < maximum.*got \(1.0, 1.0\)"),
        ({"weight_range": (1.0, math.inf)}, "finite limits"),
        ({"temperature": 0.0}, "temperature > 0"),
        ({"temperature": math.nan}, "temperature > 0"),
        ({"kind": "hinge"}, "cross_entropy, mse, gaussian_nll, laplacian_nll, got 'hinge'"),
        ({"targets": "one_hot"}, "one of soft, linear, noise, rounded, hard, cut, got 'one_hot'"),
        (
            {"predictor": "oracle"},
            "one of coordinate, row_column, per_tensor, adaptive, got 'oracle'",
        ),
        ({"predictor_shape": ()}, "whole numbers"),
        ({"predictor_bits": 1}, "2 to 16 or 32, got 1"),
    ],
)
def test_bad_settings_are_refused(
    settings: Any, message: str, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """Each bad setting gets an error that says what is expected and what was given."""
    with pytest.raises(KolmogorovError, match=message) as caught:
        make_loss(**settings)
    assert "\n" not in str(caught.value)


def test_changed_module_is_refused(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """A parameter replaced after wrapping stops every use."""
    loss = make_loss()
    network[2] = nn.Linear(7, 3)
    for use in (loss, loss.bits, loss.bits_tensor, loss.decoded_state, loss.num_out_of_range):
        with pytest.raises(KolmogorovError, match="replaced"):
            use()


def test_another_device_is_refused(
    network: nn.Sequential, make_loss: Callable[..., KolmogorovLoss]
) -> None:
    """A loss on another device than its module gets an error that names both devices."""
    loss = make_loss()
    loss.like = loss.like.to("meta")
    with pytest.raises(KolmogorovError, match=r"expected it on meta .* got cpu"):
        loss()
