"""Tests of files of wrapped modules."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import HashStore

from bitfold.errors import ModelFileError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file import read_model, write_model
from bitfold.model_file.syntax.header import with_header
from bitfold.model_file.syntax.structure import structure_hash, tensors_of


def network() -> nn.Module:
    """Return a small network."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Sequential(nn.Linear(6, 3)))


@pytest.fixture
def process() -> Iterator[None]:
    """Join a data-parallel group of a single process."""
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def wrapped(name: str, module: nn.Module) -> Any:
    """Return a module in a wrapper, or with a wrapped part."""
    if name == "compiled":
        compiled: Any = torch.compile(module, backend="eager")
        return compiled
    if name == "averaged":
        return torch.optim.swa_utils.AveragedModel(module)
    if name == "data-parallel":
        return nn.DataParallel(module)
    if name == "distributed":
        return nn.parallel.DistributedDataParallel(module)
    part: Any = torch.compile(module.get_submodule("2"), backend="eager")
    module.register_module("2", part)
    return module


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("name", ["compiled", "averaged", "data-parallel", "distributed", "part"])
@pytest.mark.parametrize("names", [False, True])
def test_wrappers_are_not_in_files(name: str, names: bool, tmp_path: Path) -> None:
    """A wrapped module's file equals the plain module's, and each is read into the other."""
    path = tmp_path / "a.bitfold"
    write_model(path, network(), names=names)
    plain = path.read_bytes()
    write_model(path, wrapped(name, network()), names=names)
    assert path.read_bytes() == plain
    into = wrapped(name, network())
    with torch.no_grad():
        for item in into.parameters():
            item.zero_()
    assert read_model(path, into=into) is into
    assert all(bool(item.any()) for item in into.parameters())


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("name", ["compiled", "data-parallel", "distributed", "part"])
def test_a_loss_of_a_wrapped_module_is_that_of_the_module(name: str, tmp_path: Path) -> None:
    """A loss made with the wrapper or the module writes the file with either."""
    module = network()
    outer = wrapped(name, module)
    of_outer, of_inner = KolmogorovLoss(outer), KolmogorovLoss(module)
    assert of_outer.table.names == ("0.weight", "0.bias", "2.0.weight", "2.0.bias")
    files = set()
    for loss in (of_outer, of_inner):
        for given in (outer, module):
            write_model(tmp_path / "a.bitfold", given, loss)
            files.add((tmp_path / "a.bitfold").read_bytes())
    assert len(files) == 1


def test_files_that_have_names_with_wrappers_are_still_read(tmp_path: Path) -> None:
    """Files of version 0.2, which hash a compiled module's wrapper names, are still read."""
    module: Any = torch.compile(network(), backend="eager")
    path = tmp_path / "a.bitfold"
    write_model(path, module)
    stream = path.read_bytes()[11:]
    items = [item for item, _ in tensors_of(module, with_wrappers=True)]
    path.write_bytes(with_header(items, stream, version=1, has_recipe=False, has_names=False))
    assert path.read_bytes()[7:11] == structure_hash(items)
    read_model(path, into=module)


def test_the_error_names_the_first_tensor_that_differs(tmp_path: Path) -> None:
    """The error names the first different tensor; for an equal structure it says how to attach."""
    loss = KolmogorovLoss(network())
    with pytest.raises(ModelFileError, match=r"has 2.0.weight 3x6 where the given"):
        write_model(
            tmp_path / "a",
            nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Sequential(nn.Linear(6, 4))),
            loss,
        )
    with pytest.raises(ModelFileError, match=r"Use kolmogorov.attached_to\(module\)"):
        write_model(tmp_path / "a", network(), loss)
