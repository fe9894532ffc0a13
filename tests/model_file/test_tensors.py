"""Tests of files of named tensors, of .safetensors files, and of refused inputs."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from bitfold.errors import ModelFileError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file import read_model, read_tensors, write_model
from tests.runtime.test_module_state import Extra, quantised


def network() -> nn.Module:
    """Return convolutions, transposed ones, buffers of norms and a tied weight."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 4, 3), nn.Linear(4, 4)
    )
    module.append(nn.Linear(4, 4))
    module[4].weight = module[3].weight
    module[1].running_var.copy_(torch.tensor([1e-3, 1.0, 30.0, 0.0]))  # type: ignore[operator]
    return module


def is_close(found: Tensor, given: Tensor) -> bool:
    """Return whether a tensor was rounded with the usual tolerance."""
    return bool((found - given).norm() <= 0.02 * given.norm())


def test_a_state_dict_is_read_back_by_name(tmp_path: Path) -> None:
    """A state dict is read in its order, with exact statistics and integers and rounded weights."""
    given = network().state_dict()
    write_model(tmp_path / "a.bitfold", given)
    found = read_tensors(tmp_path / "a.bitfold")
    assert list(found) == list(given)
    for name, item in given.items():
        assert found[name].shape == item.shape
        assert is_close(found[name].double(), item.double())
    for name in ("1.running_var", "1.running_mean", "1.num_batches_tracked"):
        assert torch.equal(found[name], given[name].to(found[name].dtype))


def test_tensors_without_numbers_come_back(tmp_path: Path) -> None:
    """Empty tensors keep name, place, shape and kind, also if there is nothing else."""
    empty = {"mask": torch.zeros(0, 3), "indices": torch.zeros(2, 0, dtype=torch.int32)}
    given = {"first": torch.ones(2), **empty, "last": torch.tensor(3.0)}
    for tensors in (given, empty):
        write_model(tmp_path / "a.bitfold", tensors)
        found = read_tensors(tmp_path / "a.bitfold")
        assert list(found) == list(tensors)
        assert all(found[name].shape == item.shape for name, item in tensors.items())
        assert all(found[name].dtype == item.dtype for name, item in tensors.items())


def test_a_state_dict_is_read_into_a_module(tmp_path: Path) -> None:
    """A state dict is read into a module of another tensor order with a tied weight."""
    module = network()
    write_model(tmp_path / "a.bitfold", module.state_dict())
    into = network()
    with torch.no_grad():
        for item in into.parameters():
            item.zero_()
    read_model(tmp_path / "a.bitfold", into=into)
    assert all(
        is_close(one.double(), two.double())
        for one, two in zip(into.state_dict().values(), module.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("dropped", ["0.bias", "1.running_mean"])
def test_a_mapping_that_lacks_a_tensor_is_refused(dropped: str, tmp_path: Path) -> None:
    """A mapping without one of the module's tensors is refused, so that none stays unread."""
    given = network().state_dict()
    del given[dropped]
    write_model(tmp_path / "a.bitfold", given)
    with pytest.raises(ModelFileError, match="Cannot read a model file into this module: expected"):
        read_model(tmp_path / "a.bitfold", into=network())


def test_a_safetensors_file_is_written_by_its_path(tmp_path: Path) -> None:
    """A safetensors file is written by its path; half precision is read as float32."""
    tensors = {"b": torch.randn(9, 5).half(), "a": torch.arange(7)}
    save_file(tensors, tmp_path / "a.safetensors")
    write_model(tmp_path / "a.bitfold", tmp_path / "a.safetensors")
    found = read_tensors(tmp_path / "a.bitfold")
    assert torch.equal(found["a"], torch.arange(7, dtype=torch.int32))
    assert found["b"].dtype == torch.float32
    assert is_close(found["b"], tensors["b"].float())
    assert (
        write_model(tmp_path / "b.bitfold", str(tmp_path / "a.safetensors"), num_bytes=200) <= 200
    )


def test_tensors_of_a_recipe_have_names(tmp_path: Path) -> None:
    """A file that rebuilds a network can be read as named tensors; other files cannot."""
    from bitfold.networks import PolytopeNet

    net = PolytopeNet(2, "[4]", 1)
    write_model(tmp_path / "a.bitfold", net)
    read = read_model(tmp_path / "a.bitfold").state_dict()
    assert all(
        torch.equal(item, read[name]) for name, item in read_tensors(tmp_path / "a.bitfold").items()
    )
    write_model(tmp_path / "a.bitfold", nn.Linear(2, 3))
    with pytest.raises(ModelFileError, match="recipe or names, got neither"):
        read_tensors(tmp_path / "a.bitfold")


class Classifier:
    """Stands for a model of another library, which is no module."""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Classifier(), "got tests.model_file.test_tensors.Classifier. Put its arrays into"),
        ("net.pt", r"got 'net.pt'. Load it, and pass the module or its state_dict\(\)"),
        ("none.safetensors", "No such file or directory"),
        ("damaged.safetensors", "expected a safetensors file, got a damaged one"),
        ({"a": 1}, "got int for 'a'. Leave it out"),
        ({1: torch.ones(1)}, "got Tensor for 1"),
        ({}, "an empty mapping"),
        ({"a": torch.eye(2).to_sparse()}, "Cannot code 'a': expected a plain tensor, got a sparse"),
        (quantised(), "got '1._packed_params._packed_params', a tuple, in its state_dict"),
        (Extra({"a": 1}), "got '_extra_state', a dict, in its state_dict"),
        (Extra(torch.ones(1)), "got '_extra_state', a Tensor, in its state_dict"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_written_is_refused_in_one_line(
    given: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the type or the entry that cannot be written, and no file is written."""
    monkeypatch.chdir(tmp_path)
    Path("damaged.safetensors").write_bytes(b"\x05" * 40)
    with pytest.raises(ModelFileError, match=said) as caught:
        write_model("a.bitfold", given)
    assert "\n" not in str(caught.value)
    assert not Path("a.bitfold").exists()


def test_only_modules_are_read_into(tmp_path: Path) -> None:
    """Only a module can be read into, and only a KolmogorovLoss can describe a file."""
    write_model(tmp_path / "a.bitfold", nn.Linear(2, 3))
    into: Any = {}
    number: Any = 0.1
    with pytest.raises(ModelFileError, match=r"expected into=a torch.nn.Module, got a dict"):
        read_model(tmp_path / "a.bitfold", into=into)
    with pytest.raises(ModelFileError, match="expected a KolmogorovLoss, got a float"):
        write_model(tmp_path / "a.bitfold", nn.Linear(2, 3), into or number)
    module = nn.Linear(2, 3)
    with pytest.raises(ModelFileError, match="Pass the module that the loss was made with"):
        write_model(tmp_path / "a.bitfold", module.state_dict(), KolmogorovLoss(module))
