"""Tests of the line that says how undescribed numbers are counted."""

import torch
from torch import nn

from bitfold.kolmogorov import KolmogorovLoss


def adapter() -> nn.Module:
    """Return a large frozen layer and a small trained one."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(100, 100), nn.Linear(100, 2))
    module[0].requires_grad_(False)
    return module


def test_a_frozen_base_is_said_to_count_as_float32() -> None:
    """The line names the setting that leaves out a frozen base; with it, the line is gone."""
    found = KolmogorovLoss(adapter()).bits()
    assert found.items["frozen"] == 32 * 10_100
    assert str(found).endswith(
        "\nfrozen: 32 bits a number; rest_bits=0 if a decoder has them already"
    )
    assert "16 bits a number" in str(KolmogorovLoss(adapter(), rest_bits=16).bits())
    assert not KolmogorovLoss(adapter(), rest_bits=0).bits().note


def test_a_few_frozen_numbers_need_no_line() -> None:
    """A module with few or no frozen numbers gets no line."""
    module = adapter().requires_grad_(True)
    assert not KolmogorovLoss(module).bits().note
    assert not KolmogorovLoss(module, exclude="*.bias").bits().note
