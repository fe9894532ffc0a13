"""Tests of attaching a loss to another module of the same structure."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file import read_model, write_model


def network() -> nn.Module:
    """Return a network with weights, gains and buffers."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def trained(averages: nn.Module | None = None) -> tuple[nn.Module, KolmogorovLoss]:
    """Return a network and its loss after some steps, and their averages."""
    module = network()
    loss = KolmogorovLoss(module)
    optimizer = torch.optim.Adam([*module.parameters(), *loss.parameters()], lr=0.01)
    for _ in range(10):
        (module(torch.ones(4, 6)).square().mean() + loss()).backward()
        optimizer.step()
        if isinstance(averages, torch.optim.swa_utils.AveragedModel):
            averages.update_parameters(module)
    return module, loss


def test_averaged_weights_are_described_and_written(tmp_path: Path) -> None:
    """The file of averaged weights, with learned steps and scales, decodes to their rounding."""
    averaged = torch.optim.swa_utils.AveragedModel(network())
    module, loss = trained(averaged)
    attached = loss.attached_to(averaged)
    num_bytes = write_model(tmp_path / "a.bitfold", averaged, attached)
    assert abs(num_bytes - attached.bits().total / 8) < 0.01 * num_bytes + 16
    read = read_model(tmp_path / "a.bitfold", into=network())
    steps = dict(zip(attached.table.names, attached.weight_range.steps(as_sent=True), strict=True))  # type: ignore[arg-type]
    for name, item in averaged.module.named_parameters():
        off = (read.get_parameter(name) - item).abs().max()
        assert off <= 0.51 * steps[name], name
        assert not torch.equal(item, module.get_parameter(name))


def test_each_loss_follows_its_own_module() -> None:
    """Original and copy each see their own module's changes only, and the copy trains its own."""
    module, loss = trained()
    other = copy.deepcopy(module)
    attached = loss.attached_to(other)
    assert attached.table.module is other
    assert attached().item() == loss().item()
    before = loss().item()
    with torch.no_grad():
        other.get_parameter("0.weight").mul_(3)
    assert loss().item() == before
    assert attached().item() != before
    other.zero_grad()
    attached().backward()
    assert other.get_parameter("0.weight").grad is not None
    assert attached.state_dict().keys() == loss.state_dict().keys()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (nn.Linear(6, 8), "expected 0.weight 8x6, got weight 8x6"),
        (nn.Sequential(nn.Linear(6, 9)), "expected 0.weight 8x6, got 0.weight 9x6"),
        ("network", "expected a torch.nn.Module, got a str"),
    ],
)
def test_another_structure_is_refused(other: nn.Module, said: str) -> None:
    """Attaching to another structure is refused, and the error names the first different tensor."""
    with pytest.raises(KolmogorovError, match=said):
        KolmogorovLoss(network()).attached_to(other)
