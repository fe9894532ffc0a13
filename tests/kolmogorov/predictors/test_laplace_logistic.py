"""Tests of the predictors of a location and a scale: gradients, masses, fits, memory."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import KolmogorovLoss, PerTensorPredictor, RowColumnPredictor
from tests.kolmogorov.narrowing import gradient_of

PREDICTORS = [PerTensorPredictor, RowColumnPredictor]
DISTRIBUTIONS = ["laplace", "logistic"]
DTYPES = [torch.float32, torch.float64]
#: Weights in range; weights out of range with a bin at 0; and the same with 0 between two bins.
GRIDS = [
    {"weight_range": "auto", "bins": 256},
    {"weight_range": "auto", "bins": 4},
    {"weight_range": (-0.5, 0.5), "bins": 16},
]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("targets", ["linear", "noise", "soft"])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_gradients_are_those_of_finite_differences(
    predictor: Any,
    distribution: Any,
    targets: str,
    grid: Any,
    make_scale_loss: Callable[..., KolmogorovLoss],
) -> None:
    """Gradients agree by weights in and out of range, learned steps, scales, rows and columns."""
    loss = make_scale_loss(predictor(distribution), **grid, targets=targets, temperature=0.5)
    leaves = [*loss.table.parameters, *loss.parameters()]
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for leaf in leaves:  # away from the bins' centres, where K has a kink
            leaf.add_(1e-3 * torch.rand(leaf.shape, generator=generator))
    loss.eval()  # the same draws in every call
    loss().backward()
    assert (loss.num_out_of_range() > 0) == (grid != GRIDS[0])
    for _ in range(5):
        direction = [torch.randn(item.shape, generator=generator).to(item.dtype) for item in leaves]
        expected = central_difference(loss, leaves, direction)
        pairs = zip(leaves, direction, strict=True)
        found = sum(float((gradient_of(leaf) * item).sum()) for leaf, item in pairs)
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-7)


@torch.no_grad()
def central_difference(
    loss: KolmogorovLoss, leaves: Sequence[Tensor], direction: Sequence[Tensor]
) -> float:
    """Return K's slope along a direction, by a step so short that few weights change their bin."""
    step, costs = 1e-7, list[float]()
    for sign in (1, -2):
        for leaf, item in zip(leaves, direction, strict=True):
            leaf.add_(item, alpha=sign * step)
        costs.append(loss().item())
    for leaf, item in zip(leaves, direction, strict=True):
        leaf.add_(item, alpha=step)
    return (costs[0] - costs[1]) / (2 * step)


@pytest.mark.parametrize("num_bins", [2, 3, 16])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_the_bins_of_every_weight_have_a_mass_of_one_together(
    predictor: Any, distribution: Any, num_bins: int, make_scale_loss: Callable[..., KolmogorovLoss]
) -> None:
    """Masses add up to 1; compiled loops agree with PyTorch's operations to 1e-12."""
    loss = make_scale_loss(predictor(distribution), bins=num_bins)
    subset = loss.subsampling.all_weights()
    indices = torch.arange(num_bins).unsqueeze(1).expand(-1, len(subset))
    slow = loss.predictor(subset, indices)
    with torch.no_grad():
        compiled = loss.predictor(subset, indices)
    assert slow.requires_grad and not compiled.requires_grad
    torch.testing.assert_close(compiled, slow.detach(), rtol=1e-12, atol=1e-14)
    masses = torch.exp(-compiled).sum(dim=0)
    torch.testing.assert_close(masses, torch.ones_like(masses), rtol=0, atol=1e-9)


@pytest.mark.parametrize("is_compiled", [True, False])
def test_rows_are_outputs_and_columns_inputs(is_compiled: bool) -> None:
    """Rows are outputs and columns inputs, also in transposed convolutions, whose inputs come first
    in memory.
    """
    module = nn.ModuleList([nn.Linear(3, 5), nn.Conv1d(3, 5, 2), nn.ConvTranspose1d(3, 5, 2)])
    predictor = RowColumnPredictor()
    loss = KolmogorovLoss(module, predictor=predictor)
    subset = loss.subsampling.all_weights()

    def costs() -> dict[str, Tensor]:
        with torch.set_grad_enabled(not is_compiled):
            nats = predictor(subset, torch.full((1, len(subset)), 140))
        return loss.table.split(nats[0].detach())

    before = costs()
    with torch.no_grad():
        for first_row, first_column in zip((0, 5, 10), (0, 3, 6), strict=True):
            predictor.row_log_scale[first_row + 4] += 1
            predictor.column_log_scale[first_column + 1] += 1
    for name, after in costs().items():
        outputs, inputs = (1, 0) if name == "2.weight" else (0, 1)
        changed = after != before[name]
        if name.endswith("bias"):
            assert not changed.any()
            continue
        expected = torch.zeros_like(changed)
        expected.select(outputs, 4).fill_(True)
        expected.select(inputs, 1).fill_(True)
        assert torch.equal(changed, expected)


def test_tensors_of_one_row_or_column_have_one_scale() -> None:
    """Tensors of one row or column have only the tensor's scale."""
    predictor = RowColumnPredictor()
    KolmogorovLoss(nn.ModuleList([nn.Linear(1, 6), nn.Linear(6, 1)]), predictor=predictor)
    assert len(predictor.row_log_scale) == len(predictor.column_log_scale) == 0
    assert len(predictor.log_scale) == 4


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_the_fit_is_near_the_optimum(predictor: Any, distribution: Any) -> None:
    """300 steps of Adam improve on the first fit by less than half a percent."""
    generator = torch.Generator().manual_seed(4)
    module = nn.ModuleList([nn.Linear(60, 40), nn.Conv2d(20, 30, 3), nn.ConvTranspose2d(20, 30, 2)])
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.rand(parameter.shape, generator=generator).clamp(1e-6) / 2
            signs = torch.randint(2, parameter.shape, generator=generator) * 2 - 1
            parameter.copy_(0.1 * signs * -torch.log(2 * noise))
            if parameter.dim() > 1 and predictor is RowColumnPredictor:
                for dim in (0, 1):
                    factors = torch.randn(parameter.shape[dim], generator=generator).exp()
                    parameter.mul_(
                        factors.view([-1 if d == dim else 1 for d in range(parameter.dim())])
                    )
    loss = KolmogorovLoss(module, predictor=predictor(distribution))
    optimizer = torch.optim.Adam(loss.predictor.parameters(), 0.02)
    first = loss().item()
    for _ in range(300):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert 0.995 * first < loss().item() <= first


def test_row_and_column_scales_pay_where_weights_have_them() -> None:
    """Weights with rows and columns of different sizes take fewer bits, predictor included."""
    module = nn.Linear(200, 200, bias=False)
    with torch.no_grad():
        sizes = torch.linspace(-3, 3, 200).exp()
        module.weight.normal_(generator=torch.Generator().manual_seed(0))
        module.weight.mul_(sizes).mul_(sizes.unsqueeze(1))
    totals = [
        KolmogorovLoss(module, predictor=name, bins=255, weight_range=(-2000.0, 2000.0))
        .bits()
        .total
        for name in ("row_column", "per_tensor")
    ]
    assert totals[0] < 0.8 * totals[1]


class LargestTensor(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Records the size of the largest tensor that any operation returns."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for item in result if isinstance(result, tuple | list) else (result,):
            if isinstance(item, Tensor):
                self.numel = max(self.numel, item.numel())
        return result


@pytest.mark.parametrize("targets", ["linear", "noise"])
@pytest.mark.parametrize("predictor", ["per_tensor", "row_column"])
def test_no_tensor_holds_weights_by_anything(predictor: str, targets: str) -> None:
    """No operation of a step returns a tensor larger than the weights."""
    module = nn.Linear(500, 400)
    loss = KolmogorovLoss(module, predictor=predictor, targets=targets)
    with LargestTensor() as largest:
        loss().backward()
    assert largest.numel == loss.num_weights


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_any_finite_weight_has_a_finite_cost_and_slope(
    predictor: Any, distribution: Any, dtype: Any
) -> None:
    """Costs are finite for weights from 0 to the largest numbers, in narrow and in usual bins."""
    for limits in ((-3.0, 3.0), (0.0, 1e-27)):
        module = nn.Linear(4, 2).to(dtype)
        with torch.no_grad():
            module.weight.copy_(torch.tensor([[0, 1e-40, 1e-3, -7], [1e30, -3e38, 3, -3]]))
        loss = KolmogorovLoss(module, predictor=predictor(distribution), weight_range=limits)
        cost = loss()
        cost.backward()
        assert torch.isfinite(cost)
        for item in (*module.parameters(), *loss.parameters()):
            assert torch.isfinite(gradient_of(item)).all()
        assert (gradient_of(module.weight)[1, :2] * module.weight[1, :2] > 0).all()


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_weight_that_is_no_number_shows_in_the_cost(
    distribution: Any, make_scale_loss: Callable[..., KolmogorovLoss]
) -> None:
    """A NaN weight makes the sum and the bits of the compiled loops NaN."""
    loss = make_scale_loss(RowColumnPredictor(distribution))
    with torch.no_grad():
        loss.table.parameters[0][3, 3] = math.nan
    assert loss().isnan()
    assert math.isnan(loss.bits().total)


def test_a_frozen_predictor_leaves_the_weights_their_gradient(
    make_scale_loss: Callable[..., KolmogorovLoss],
) -> None:
    """With a frozen predictor the weights still get a gradient."""
    loss = make_scale_loss(RowColumnPredictor())
    loss.predictor.requires_grad_(False)
    loss().backward()
    assert all(item.grad is None for item in loss.predictor.parameters())
    assert all((gradient_of(item) != 0).any() for item in loss.table.parameters)


def test_an_unknown_distribution_is_refused() -> None:
    """The error lists the distributions."""
    with pytest.raises(KolmogorovError, match="laplace, logistic, got 'cauchy'"):
        PerTensorPredictor("cauchy")
