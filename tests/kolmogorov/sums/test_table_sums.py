"""Tests of costs read from a table against costs computed weight by weight."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.kolmogorov import (
    KolmogorovLoss,
    LinearTargets,
    PerTensorPredictor,
    RoundedTargets,
    RowColumnPredictor,
)
from bitfold.kolmogorov.predictors import laplace_logistic as scale
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from tests.kolmogorov.narrowing import gradient_of, learned_range

TARGETS = {"linear": LinearTargets, "rounded": RoundedTargets}
PREDICTORS = {"row_column": RowColumnPredictor, "per_tensor": PerTensorPredictor}


@pytest.fixture(params=PREDICTORS)
def loss(
    request: pytest.FixtureRequest, make_scale_loss: Callable[..., KolmogorovLoss]
) -> KolmogorovLoss:
    """Return a loss of tensors of all shapes whose scales are centred."""
    predictor = PREDICTORS[request.param](is_centred=True)
    return make_scale_loss(predictor, torch.float32, quantise="learned")


def both_sums(loss: KolmogorovLoss, targets: Any, values: Any) -> Any:
    """Return the sums by compiled loops for steps of several lengths, and by PyTorch in float64."""
    subset = loss.subsampling.all_weights()
    steps = torch.rand(len(loss.table.parameters)) + 0.5
    weights = loss.table.pieces(values)
    in_steps = [item * step for item, step in zip(weights, steps, strict=True)]
    in_one_pass = loss.predictor.summed_in_steps(in_steps, steps, targets, with_gradients=True)
    assert in_one_pass is not None
    found, by_log_steps = in_one_pass
    by_values = torch.cat(
        [
            item.view(-1) * step
            for item, step in zip(loss.table.pieces(found.grad_values), steps, strict=True)
        ]
    )
    exact = copy.deepcopy(loss.predictor).double()
    expected = WeightPredictor.summed(exact, subset, values.double(), targets, with_gradients=True)
    moved = loss.table.split(values * expected.grad_values).values()
    by_steps = -torch.stack([item.double().sum() for item in moved])
    assert (by_log_steps - by_steps).norm() <= 1e-2 * by_steps.norm() + 1e-3
    return found._replace(grad_values=by_values), expected


@pytest.mark.parametrize("largest", [0.4, 0.99, 30.0])
@pytest.mark.parametrize("name", TARGETS)
def test_compiled_loops_give_costs_and_gradients(
    loss: KolmogorovLoss, name: Any, largest: float
) -> None:
    """Table and series are accurate enough for weights smaller and larger than a bin."""
    generator = torch.Generator().manual_seed(0)
    values = largest * (2 * torch.rand(loss.num_weights, generator=generator) - 1)
    found, expected = both_sums(loss, TARGETS[name](256), values)
    assert found.nats.item() == pytest.approx(expected.nats.item(), rel=1e-4)
    torch.testing.assert_close(
        found.grad_values.double(), expected.grad_values, rtol=1e-3, atol=1e-4
    )
    assert len(found.grad_parameters) == len(expected.grad_parameters)
    for own, exact in zip(found.grad_parameters, expected.grad_parameters, strict=True):
        # Between entries a slope is that of a chord.
        assert (own - exact).norm() <= 1e-2 * exact.norm()


def test_the_table_is_what_a_training_step_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training step reads the table, also for many weights that share one scale."""
    for predictor in ("row_column", "per_tensor"):
        module = nn.Linear(120, 100)
        kolmogorov = KolmogorovLoss(module, predictor=predictor, quantise="learned")
        with torch.no_grad():  # away from fitted scales, where gradients cancel
            for item in kolmogorov.predictor.parameters():
                item.add_(torch.rand(len(item)) + 0.5)
        found = kolmogorov()
        found.backward()
        quick = [gradient_of(item) for item in (*module.parameters(), *kolmogorov.parameters())]
        module.zero_grad()
        kolmogorov.zero_grad()
        with monkeypatch.context() as patch:
            patch.setattr(scale, "can_read_table", lambda *_: False)
            expected = kolmogorov()
        expected.backward()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)
        slow = [gradient_of(item) for item in (*module.parameters(), *kolmogorov.parameters())]
        for own, exact in zip(quick, slow, strict=True):
            assert 0 < (own - exact).norm() <= 1e-2 * exact.norm()


@pytest.mark.parametrize("value", [127.0, -130.0, 1e9, float("nan"), float("inf")])
def test_weights_near_the_ends_are_left_to_exact_formulas(value: Any) -> None:
    """Exact formulas sum tails and escapes, and a weight that is not finite shows in K."""
    module = nn.Linear(6, 5)
    kolmogorov = KolmogorovLoss(module, quantise="learned")
    with torch.no_grad():
        module.weight[2, 3] = value * learned_range(kolmogorov).steps()[0]
    cost = kolmogorov()
    assert cost.isfinite() == (abs(value) <= 1e9)
    if cost.isfinite():
        expected = WeightPredictor.summed(
            kolmogorov.predictor,
            kolmogorov.subsampling.all_weights(),
            kolmogorov._values(),
            kolmogorov.targets,
            with_gradients=False,
        )
        assert cost.item() == pytest.approx(expected.nats.item() / 35, rel=1e-5)


@pytest.mark.parametrize("log_scale", [-30.0, -6.0, -2.0, 0.0, 2.0, 5.0, 8.0])
def test_series_and_table_agree_at_every_scale(log_scale: float) -> None:
    """Long lines of weights below a bin agree, for scales from the floor up to the grid."""
    kolmogorov = KolmogorovLoss(nn.Linear(3000, 2), quantise="learned")
    with torch.no_grad():
        kolmogorov.predictor.get_parameter("log_scale").fill_(log_scale)
        kolmogorov.predictor.get_parameter("column_log_scale").normal_()
    values = torch.rand(kolmogorov.num_weights) - 0.5
    values[values.abs() < 1e-3] = 0.25  # on a bin either side's slope is right
    found, expected = both_sums(kolmogorov, LinearTargets(256), values)
    assert found.nats.item() == pytest.approx(expected.nats.item(), rel=1e-4)
    torch.testing.assert_close(
        found.grad_values.double(), expected.grad_values, rtol=1e-3, atol=1e-4
    )
    for own, exact in zip(found.grad_parameters, expected.grad_parameters, strict=True):
        assert (own - exact).norm() <= 1e-2 * exact.norm() + 1e-3


def test_centred_predictors_learn_no_location() -> None:
    """A centred predictor neither learns nor sends a location: 0 stays the likeliest value."""
    kolmogorov = KolmogorovLoss(nn.Linear(6, 5), quantise="learned")
    names = [name for name, _ in kolmogorov.predictor.named_parameters()]
    assert names == ["log_scale", "row_log_scale", "column_log_scale"]
    assert kolmogorov.predictor.get_buffer("location").tolist() == [0, 0]
    assert "location" not in kolmogorov.predictor.state_dict()


@pytest.mark.slow
def test_a_first_compilation_gives_the_same_bits(tmp_path: Path) -> None:
    """A process that compiles the loops and one that loads them compute equal gradients."""
    script = (
        "import torch\n"
        "from torch import nn\n"
        "from bitfold.kolmogorov import KolmogorovLoss\n"
        "torch.manual_seed(0)\n"
        "module = nn.Sequential(nn.Linear(300, 40), nn.Conv2d(3, 5, 3))\n"
        "module[0].weight.data[:20] *= 9\n"
        "loss = KolmogorovLoss(module, quantise='learned')\n"
        "with loss.quantised():\n"
        "    sum(w.sin().sum() for m in module for w in m._parameters.values()).backward()\n"
        "loss().backward()\n"
        "parameters = [*module.parameters(), *loss.parameters()]\n"
        "print([p.grad.view(torch.int32).flatten().tolist() for p in parameters])\n"
    )
    place = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    compiling, loading = (
        subprocess.run(command, env=place, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    )
    assert any(tmp_path.rglob("*.nbi"))
    assert compiling == loading


def test_k_without_gradients_is_the_k_of_training(loss: KolmogorovLoss) -> None:
    """To the last bit, with or without a graph."""
    with torch.no_grad():
        for item in loss.table.parameters:
            item.copy_(0.3 * torch.randn(item.shape, generator=torch.Generator().manual_seed(0)))
        alone = loss()
    assert torch.equal(alone, loss().detach())
