"""Tests of a module as bytes, and of files for a loss."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import bitfold
from bitfold.errors import ModelFileError


def a_network() -> nn.Module:
    """Two layers and a norm between them."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Linear(40, 6))


def inputs() -> torch.Tensor:
    """As many as there are weights in a row, and more."""
    return torch.randn(200, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("options", [{}, {"calibration": [inputs()]}])
@pytest.mark.parametrize("limit", [{"num_bytes": 700}, {"tolerance": 0.1}])
def test_the_bytes_are_those_of_the_file(
    tmp_path: Path, options: dict[str, Any], limit: dict[str, Any]
) -> None:
    """They decode to the module that is returned, and the given module stays as it was."""
    network, path = a_network(), tmp_path / "a.bitfold"
    before = copy.deepcopy(network.state_dict())
    found = bitfold.compress(network, **options, **limit)
    bitfold.write_model(path, network, **options, **limit)
    assert found.data == path.read_bytes()
    decoded = bitfold.read_model(path, into=a_network()).state_dict()
    for name, item in found.module.state_dict().items():
        assert torch.equal(item, decoded[name])
        assert torch.equal(network.state_dict()[name], before[name])


@pytest.mark.parametrize("options", [{}, {"calibration": [inputs()]}])
def test_a_loss_is_met_and_not_by_far(options: dict[str, Any]) -> None:
    """The caller's own judgement of the decoded module decides, in evaluation mode."""
    network, modes = a_network(), set[bool]()
    wanted = copy.deepcopy(network).eval()(inputs()).detach()

    def loss(decoded: nn.Module) -> float:
        modes.add(decoded.training)
        with torch.no_grad():
            return float((decoded(inputs()) - wanted).abs().mean())

    found = bitfold.compress(network, loss=loss, max_loss=0.03, **options)
    assert 0.02 < loss(found.module.eval()) <= 0.03
    assert modes == {False}
    assert network.training


def test_each_step_is_told() -> None:
    """A function is called with what is being done."""
    lines = list[str]()
    bitfold.compress(a_network(), calibration=[inputs()], num_bytes=700, progress=lines.append)
    assert lines[0] == "looking at the inputs"
    assert lines[1].startswith("file 1: ")


def test_a_bar_is_shown_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing appears on standard output."""
    bitfold.compress(a_network(), num_bytes=700, progress=True)
    assert capsys.readouterr().out == ""


def test_a_wrapped_module_is_compressed_without_its_wrapper() -> None:
    """The decoded module is of the inner class."""
    found = bitfold.compress(nn.DataParallel(a_network()), num_bytes=700)
    assert isinstance(found.module, nn.Sequential)


def once() -> Iterator[torch.Tensor]:
    """Inputs that can be gone through once."""
    yield inputs()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": len}, "got no max_loss"),
        ({"max_loss": 1.0}, "got no loss"),
        ({"loss": lambda one: 1.0, "max_loss": 0.5}, "got 1 for the module"),
        ({"loss": lambda one: 1.0, "max_loss": -1.0}, "max_loss above 0"),
        ({"loss": 3, "max_loss": 1.0}, "got a int"),
        ({"loss": len, "max_loss": 1.0, "num_bytes": 9}, "either a number of bytes or a loss"),
        ({"calibration": once()}, "can be gone through only once"),
        ({"num_bytes": 20}, "expected at least about"),
    ],
)
def test_errors_say_what_to_do(options: dict[str, Any], message: str) -> None:
    """Each is one line."""
    with pytest.raises(ModelFileError, match=message) as found:
        bitfold.compress(a_network(), **options)
    assert "\n" not in str(found.value)


def test_tensors_by_name_are_no_module(tmp_path: Path) -> None:
    """They have neither a copy with other weights nor a loss."""
    tensors: Any = {"a": torch.randn(30, 30)}
    with pytest.raises(ModelFileError, match=r"expected a torch.nn.Module, got a dict"):
        bitfold.compress(tensors)
    with pytest.raises(ModelFileError, match="got tensors by name"):
        bitfold.write_model(tmp_path / "a", tensors, loss=lambda one: 0.0, max_loss=1.0)
