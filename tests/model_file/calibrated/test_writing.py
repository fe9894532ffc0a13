"""Tests of files written for calibration inputs."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bitfold
from bitfold.errors import ModelFileError


def a_network() -> nn.Module:
    """Return calibrated layers of both kinds, and other layers."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, stride=2),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(96, 24),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(24, 5, bias=False),
    )


def some_inputs() -> list[Tensor]:
    """Return dependent inputs whose second channel is mostly faint."""
    generator = torch.Generator().manual_seed(1)
    smooth = torch.randn(96, 2, 4, 4, generator=generator).repeat_interleave(2, 2)
    smooth = smooth.repeat_interleave(2, 3) + 0.1 * torch.randn(96, 2, 8, 8, generator=generator)
    smooth[:, 1] *= 0.1
    return list(smooth.chunk(3))


def change(path: Path, network: nn.Module, **options: Any) -> float:
    """Return the relative change of outputs for `some_inputs` after a file."""
    bitfold.write_model(path, network, **options)
    decoded = bitfold.read_model(path, into=copy.deepcopy(network)).eval()
    inputs = torch.cat(some_inputs())
    with torch.no_grad():
        wanted = copy.deepcopy(network).eval()(inputs)
        return float((decoded(inputs) - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("num_bytes", [1_000, 1_600])
def test_calibration_makes_outputs_more_exact_at_a_size(tmp_path: Path, num_bytes: int) -> None:
    """A file of the same size changes the outputs by less than 0.6 times as much."""
    path, network = tmp_path / "a.bitfold", a_network()
    blind = change(path, network, num_bytes=num_bytes)
    assert change(path, network, num_bytes=num_bytes, calibration=some_inputs()) < 0.6 * blind
    assert 0.95 * num_bytes < path.stat().st_size <= num_bytes


def test_a_tolerance_is_the_change_of_outputs(tmp_path: Path) -> None:
    """The file is the shortest one whose outputs change by at most the tolerance."""
    path, network = tmp_path / "a.bitfold", a_network()
    assert 0.04 < change(path, network, tolerance=0.05, calibration=some_inputs()) <= 0.05


def test_the_module_stays_as_it_was(tmp_path: Path) -> None:
    """Weights, modes, gradients and frozen parameters are the same afterwards."""
    network = a_network().train()
    network.get_parameter("0.weight").requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    bitfold.write_model(tmp_path / "a", network, calibration=some_inputs(), num_bytes=1_000)
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())
    assert network.training
    assert all(p.grad is None for p in network.parameters())
    assert [p.requires_grad for p in network.parameters()][:2] == [False, True]


def test_inputs_that_never_occur_get_zeros(tmp_path: Path) -> None:
    """Weights of inputs that are always 0 become 0, and no output changes."""
    torch.manual_seed(0)
    network = nn.Linear(8, 20)
    inputs = torch.randn(64, 8)
    inputs[:, 3] = 0
    path = tmp_path / "a"
    bitfold.write_model(path, network, calibration=inputs, tolerance=0.01)
    decoded = bitfold.read_model(path, into=nn.Linear(8, 20))
    used = decoded.get_parameter("weight") != 0
    assert not used[:, 3].any()
    assert used.float().mean() > 0.7


class _Tied(nn.Module):
    """Attention between an embedding and an output layer with the same weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 16)
        self.attention = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.output = nn.Linear(16, 9)
        self.output.weight = self.embedding.weight

    def forward(self, letters: Tensor, mask: Tensor | None = None) -> dict[str, Any]:
        values = self.output(self.attention(self.embedding(letters), src_key_padding_mask=mask))
        return {"logits": values, "letters": letters}


@pytest.mark.parametrize(
    "wrap", [lambda one: one, lambda one: (one,), lambda one: {"letters": one}]
)
def test_transformers_are_calibrated(tmp_path: Path, wrap: Callable[[Tensor], Any]) -> None:
    """Tied weights, attention, several forms of batches and of outputs are taken."""
    torch.manual_seed(0)
    network = _Tied()
    batches = [torch.randint(9, (8, 6)) for _ in range(3)]
    given = [wrap(batch) for batch in batches]
    path = tmp_path / "a"
    bitfold.write_model(path, network, calibration=given, tolerance=0.1)
    decoded = bitfold.read_model(path, into=_Tied()).eval()
    letters = torch.cat(batches)
    with torch.no_grad():
        wanted = network.eval()(letters)["logits"]
        assert (decoded(letters)["logits"] - wanted).norm() < 0.11 * wanted.norm()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibration": iter(some_inputs())}, "can be gone through only once"),
        ({"calibration": []}, "got none"),
        ({"calibration": 3}, "got a int"),
        ({"calibration": [torch.zeros(2, 5)]}, "Cannot calibrate with batch 0"),
        ({"calibration": [torch.full((1, 2, 8, 8), torch.nan)]}, "expected finite inputs"),
        ({"calibration": some_inputs(), "sort_neurons": True}, "sort_neurons=False"),
        ({"calibration": some_inputs(), "num_bytes": 9}, "expected at least about"),
        ({"calibration": some_inputs(), "tolerance": 0}, "tolerance above 0"),
    ],
)
def test_errors_say_what_to_do(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """Each error is one line, and no file is written."""
    path = tmp_path / "a"
    with pytest.raises(ModelFileError, match=message) as found:
        bitfold.write_model(path, a_network(), **options)
    assert "\n" not in str(found.value)
    assert not path.exists()


def test_tensors_by_name_have_no_outputs(tmp_path: Path) -> None:
    """A mapping of tensors, which has no outputs, is refused."""
    with pytest.raises(ModelFileError, match="got tensors by name"):
        bitfold.write_model(tmp_path / "a", {"a": torch.ones(3)}, calibration=some_inputs())
