"""``bitfold compress model.safetensors`` and back; ``info`` of files without names."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

import bitfold
from bitfold.cli.main import main
from bitfold.model_file import model_info


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a file in the format in which people save their models."""
    torch.manual_seed(0)
    path = tmp_path / "model.safetensors"
    save_file(nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64)).state_dict(), path)
    return path


def test_a_model_becomes_smaller_and_comes_back(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tensors come back under their own names, rounded, also at a given size."""
    packed, back = tmp_path / "net.bitfold", tmp_path / "back.safetensors"
    assert main(["compress", str(model), "-o", str(packed)]) == 0
    assert f"became {packed.stat().st_size:,}, " in capsys.readouterr().out
    assert main(["info", str(packed)]) == 0
    assert "1.running_var" in capsys.readouterr().out
    assert main(["decompress", str(packed), "-o", str(back)]) == 0
    given, found = load_file(model), load_file(back)
    assert found.keys() == given.keys()
    for name, item in given.items():
        assert (found[name] - item).double().norm() <= 0.02 * item.double().norm(), name
    assert main(["compress", str(model), "-o", str(packed), "--bytes", "1500", "--quiet"]) == 0
    assert packed.stat().st_size <= 1500


@pytest.mark.parametrize("option", [["--psnr", "30"], ["--anew"], ["--epoch", "3"]])
def test_options_of_runs_are_refused(
    option: list[str], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options of runs are refused for tensors, in one line and with code 2."""
    assert main(["compress", str(model), "-o", str(tmp_path / "a.bitfold"), *option]) == 2
    assert "at most --bytes with a .safetensors file" in capsys.readouterr().err


def test_programs_that_ask_whose_tensors_they_are_can_read_them(
    model: Path, tmp_path: Path
) -> None:
    """The tensors that come back are said to be PyTorch's, as other programs want it."""
    packed, back = tmp_path / "net.bitfold", tmp_path / "back.safetensors"
    assert main(["compress", str(model), "-o", str(packed), "--quiet"]) == 0
    assert main(["decompress", str(packed), "-o", str(back), "--quiet"]) == 0
    with safe_open(back, "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_a_model_is_not_replaced_by_its_rounded_self(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Writing over the file that is read is refused, also by a link to it; the file stays."""
    before = model.read_bytes()
    (tmp_path / "link").symlink_to(model)
    for name in (model.name, "link"):
        assert main(["compress", str(model), "-o", str(tmp_path / name)]) == 2
        assert "expected another path than that of" in capsys.readouterr().err
    assert model.read_bytes() == before


@pytest.mark.parametrize("name", ["model.pt", "model.onnx", "model.safetensors.index.json"])
def test_another_file_is_no_run_without_a_configuration(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error for another kind of file says how its tensors can be written."""
    (tmp_path / name).write_bytes(b"PK")
    assert main(["compress", str(tmp_path / name), "-o", str(tmp_path / "a.bitfold")]) == 2
    said = capsys.readouterr().err
    assert "got another file. Save its tensors with safetensors.torch.save_file" in said
    assert said.count("\n") == 1


def test_info_says_what_can_be_known_without_the_module(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the module, info prints sizes, tensors and hash, and how to learn more."""
    path = tmp_path / "net.bitfold"
    num_bytes = bitfold.write_model(path, nn.Linear(20, 30))
    assert main(["info", str(path)]) == 0
    told = capsys.readouterr().out
    assert f"all tensors  {num_bytes - 11:,}.0" in told
    assert f"hash is {path.read_bytes()[7:11].hex()}. In Python, model_info(path, into=mod" in told
    info = model_info(path)
    assert sum(item.bits for item in info.items) == 8 * num_bytes
    assert not model_info(path, into=nn.Linear(20, 30)).note
    assert main(["decompress", str(path), "-o", str(tmp_path / "a.safetensors")]) == 2
    assert "recipe or names, got neither" in capsys.readouterr().err
