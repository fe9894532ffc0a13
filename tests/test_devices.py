"""An accelerator gives the processor's results; without an accelerator the tests are skipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bitfold
from bitfold.audit import audit_gradients
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.polytopes import sample_partition
from bitfold.training import Config, load_run

ACCELERATORS = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()

pytestmark = pytest.mark.skipif(not ACCELERATORS, reason="no accelerator here")


@pytest.fixture(params=ACCELERATORS or ["none"])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Return an accelerator of this machine."""
    return torch.device(request.param)


def network() -> nn.Sequential:
    """A seeded network with a convolution, batch norm and a dense layer."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)),
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.LeakyReLU(),
        nn.Flatten(),
        nn.Linear(96, 10),
        nn.ReLU(),
        nn.Linear(10, 3),
    )


@pytest.mark.parametrize("predictor", ["per_tensor", "row_column", "coordinate", "adaptive"])
@pytest.mark.parametrize("targets", ["linear", "soft"])
def test_k_and_its_gradients(device: torch.device, predictor: str, targets: str) -> None:
    """K, its gradients by network and predictor, and the bits agree up to float32 rounding."""
    found = []
    for where in (torch.device("cpu"), device):
        module = network().to(where)
        generator = torch.Generator().manual_seed(1)
        loss = KolmogorovLoss(
            module, predictor=predictor, targets=targets, bins=32, generator=generator
        ).to(where)
        value = loss()
        assert value.device.type == where.type
        gradients = torch.autograd.grad(value, [*module.parameters(), *loss.parameters()])
        on_cpu = [gradient.cpu() for gradient in gradients]
        found.append((value.cpu(), on_cpu, float(loss.bits().total)))
    (value, wanted, bits), (other, others, other_bits) = found
    torch.testing.assert_close(other, value, rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(others, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-6)
    assert other_bits == pytest.approx(bits, rel=1e-4)


@pytest.mark.parametrize("predictor", ["row_column", "coordinate"])
def test_training_lowers_k(device: torch.device, predictor: str) -> None:
    """Fifty steps on the device bring the combined loss down and leave everything on it."""
    module = network().to(device)
    loss = KolmogorovLoss(module, predictor=predictor, bins=32).to(device)
    optimizer = torch.optim.Adam([*module.parameters(), *loss.parameters()], lr=0.01)
    values = []
    for _ in range(50):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.9 * values[0]
    assert {p.device.type for p in [*module.parameters(), *loss.parameters()]} == {device.type}


def test_the_audit(device: torch.device) -> None:
    """The audit reports a correct term as reaching every module, and a cut term as cut."""
    module = network().to(device)
    loss = KolmogorovLoss(module, bins=32).to(device)
    x = torch.rand(20, 16, device=device)
    terms: dict[str, Callable[[], Tensor | float]] = {
        "task": lambda: module(x).square().mean(),
        "K": loss,
    }
    assert audit_gradients(terms, {"network": module}).ok
    terms["cut"] = lambda: module(x).detach().square().mean()
    assert not audit_gradients(terms, {"network": module}).ok


def test_exact_polytopes(device: torch.device) -> None:
    """The partition of a network on the device is the processor's to the bit."""
    plane = bitfold.Plane.through(*np.random.default_rng(0).normal(size=(3, 16)))
    square = ((-1, -1), (1, 1))
    mine = bitfold.partition(network().eval(), square, plane)
    theirs = bitfold.partition(network().eval().to(device), square, plane)
    theirs.check()
    assert mine.num_polytopes > 50
    np.testing.assert_array_equal(theirs.vertices, mine.vertices)
    np.testing.assert_array_equal(theirs.face_vertices, mine.face_vertices)


def test_max_pooling_by_both_engines(device: torch.device) -> None:
    """Max pooling gives the processor's partition exactly, and its raster up to single pixels."""
    plane = bitfold.Plane.through(*np.random.default_rng(0).normal(size=(3, 16)))
    axis = np.linspace(-0.5, 1.5, 80)
    found, pixels = [], []
    for where in (torch.device("cpu"), device):
        last = nn.Linear(24, 3)
        module = nn.Sequential(*list(network())[:4], nn.MaxPool2d(2), nn.Flatten(), last)
        nn.init.constant_(last.weight, 0.5)
        nn.init.zeros_(last.bias)
        module.eval().to(where)
        found.append(bitfold.partition(module, ((-0.5, -0.5), (1.5, 1.5)), plane))
        pixels.append(sample_partition(module, axis, axis, plane=plane))
    mine, theirs = found
    theirs.check()
    assert mine.num_polytopes > 50
    np.testing.assert_array_equal(theirs.vertices, mine.vertices)
    np.testing.assert_array_equal(theirs.owners, mine.owners)
    assert (pixels[0].folds != pixels[1].folds).mean() < 1e-3


def test_sampled_polytopes(device: torch.device) -> None:
    """Folds on a raster are the processor's except at single pixels that rounding decides."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 20), nn.ReLU(), nn.Linear(20, 20), nn.ReLU())
    axis = np.linspace(-0.5, 0.5, 100)
    mine = sample_partition(module, axis, axis)
    theirs = sample_partition(module.to(device), axis, axis)
    assert (mine.folds != theirs.folds).mean() < 1e-3
    np.testing.assert_allclose(theirs.values, mine.values, atol=1e-5)


def test_a_run(device: torch.device, tmp_path: Path) -> None:
    """A run trains and resumes on the device, and a machine without the device reads it."""
    settings: dict[str, Any] = {
        "target": "ring", "size": 16, "shape": "[6]*2", "points": 50, "validation_points": 20,
        "batch_size": 16, "save_interval": "1", "device": device.type,
        "kolmogorov_weight": 0.05, "kolmogorov_bins": 16, "output_dir": str(tmp_path),
    }  # fmt: skip
    run = bitfold.train(Config(**settings, epochs=10))
    assert len(run.metrics) > 0
    read = load_run(run.path)
    assert {p.device.type for p in read.network().parameters()} == {"cpu"}
