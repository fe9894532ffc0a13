"""Nothing depends on PyTorch's default device, which a user may have set to an accelerator.

The meta device stands for one: it is on every machine, and its tensors hold no numbers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils._device import _device_constructors

import bitfold
from bitfold.kolmogorov import KolmogorovLoss

PACKAGE = Path(bitfold.__file__).parent
CONSTRUCTORS = {function.__name__ for function in _device_constructors()}


def network() -> nn.Sequential:
    """Return a small seeded network on the processor, in evaluation mode."""
    torch.manual_seed(0)
    with torch.device("cpu"):
        layers = nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3)
    return nn.Sequential(*layers).eval()


@pytest.fixture
def inputs() -> torch.Tensor:
    """Return inputs of the network."""
    return torch.randn(64, 2, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def elsewhere(inputs: torch.Tensor) -> Iterator[None]:
    """Make new tensors on another device, unless they are said to be on the processor."""
    with torch.device("meta"):
        yield


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_every_new_tensor_is_said_to_be_somewhere(path: Path) -> None:
    """Each call of PyTorch that makes a tensor names the device."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        is_torch = ast.unparse(node.func.value) == "torch"
        if is_torch and node.func.attr in CONSTRUCTORS:
            names = {keyword.arg for keyword in node.keywords}
            assert names & {"device", None}, f"{path}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("quantise", [None, "learned"])
@pytest.mark.parametrize("predictor", ["coordinate", "row_column", "per_tensor", "adaptive"])
def test_k_and_its_files(predictor: str, quantise: str | None, tmp_path: Path) -> None:
    """K, its gradients, bits and file are those of a module's own device."""
    module = network()
    kolmogorov = KolmogorovLoss(module, predictor=predictor, quantise=quantise)
    kolmogorov().backward()
    assert all(item.grad is not None and not item.grad.is_meta for item in module.parameters())
    assert kolmogorov.bits().total > 0
    bitfold.write_model(tmp_path / "a.bitfold", module, kolmogorov)
    found = bitfold.read_model(tmp_path / "a.bitfold", into=network())
    assert not any(item.is_meta for item in found.parameters())


@pytest.mark.usefixtures("elsewhere")
def test_modules_without_k(inputs: torch.Tensor, tmp_path: Path) -> None:
    """A module is compressed, divided into polytopes and audited on its own device."""
    module = network()
    small = bitfold.compress(module, calibration=[inputs], num_bytes=200)
    assert not any(item.is_meta for item in small.module.parameters())
    bitfold.write_model(tmp_path / "a.bitfold", dict(module.state_dict()))
    assert not any(item.is_meta for item in bitfold.read_tensors(tmp_path / "a.bitfold").values())
    bitfold.partition(module).check()
    terms = {"task": lambda: module(inputs).square().mean()}
    assert bitfold.audit_gradients(terms, {"network": module}).ok


@pytest.mark.usefixtures("elsewhere")
def test_a_run_is_trained_and_continued(tmp_path: Path) -> None:
    """A run trains, is opened and continued on the device of its configuration."""
    config = bitfold.Config(
        target="ring", size=16, shape="[3]", epochs=2, kolmogorov_weight=0.01, audit=False,
        snapshot_format="none", output_dir=str(tmp_path / "run"),
    )  # fmt: skip
    bitfold.train(config)
    bitfold.resume(tmp_path / "run", epochs=3)
    run = bitfold.load_run(tmp_path / "run")
    assert run.last_epoch == 3
    assert not any(item.is_meta for item in run.network().parameters())
