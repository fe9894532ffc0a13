"""Model files for tests, each checked as a whole."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file import ModelFileInfo, model_info, read_model, write_model


def all_shapes(dtype: torch.dtype = torch.float32) -> nn.Module:
    """Return tensors of all shapes, frozen tensors, buffers, and weights out of range."""
    torch.manual_seed(1)
    module = nn.ModuleList(
        [
            nn.Linear(7, 11),
            nn.Conv2d(3, 5, 3),
            nn.ConvTranspose2d(4, 6, (2, 3)),
            nn.BatchNorm1d(5),
            nn.Linear(3, 1),
            nn.Linear(1, 3),
            nn.Embedding(9, 4),
        ]
    ).to(dtype)
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.normal_(0, 0.1 + 0.1 * number)
        weight = module.get_parameter("0.weight")
        weight[2:6] = 0
        weight[1, :2] = torch.tensor([200.0, -3e5])
    module[5].weight.requires_grad_(False)
    return module


def write_checked(
    path: Path, module: nn.Module, loss: KolmogorovLoss | None = None, **options: Any
) -> ModelFileInfo:
    """Write a file; check that items cover its bytes and that a loss says its length."""
    num_bytes = write_model(path, module, loss, **options)
    assert num_bytes == path.stat().st_size
    info = model_info(path, into=copy.deepcopy(module))
    assert info.num_bytes == num_bytes
    assert abs(sum(item.bits for item in info.items) - 8 * num_bytes) < 1e-3
    assert all(item.bits >= 0 for item in info.items)
    if loss is not None:
        counted = loss.bits().total / 8
        if options.get("names"):  # names take bytes beside those that the loss counts
            counted += info.items[0].bits / 8 - 7
        assert abs(num_bytes - counted) < 0.01 * counted + 16
    return info


def scrambled(module: nn.Module) -> nn.Module:
    """Return a copy with other numbers."""
    other = copy.deepcopy(module)
    with torch.no_grad():
        for item in (*other.parameters(), *other.buffers()):
            item.fill_(7)
    return other


def assert_same_state(found: nn.Module, expected: dict[str, torch.Tensor]) -> None:
    """Assert that all numbers are identical."""
    state = found.state_dict()
    assert state.keys() == expected.keys()
    for name, item in expected.items():
        assert state[name].dtype == item.dtype
        assert torch.equal(state[name], item), name


def round_trip(
    path: Path, module: nn.Module, loss: KolmogorovLoss | None = None, **options: Any
) -> nn.Module:
    """Write a module, and read it into another of the same structure."""
    write_checked(path, module, loss, **options)
    return read_model(path, into=scrambled(module))
