"""Fixtures of the Kolmogorov loss's tests: a network and losses of it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bitfold.kolmogorov import KolmogorovLoss, WeightPredictor


@pytest.fixture
def network() -> nn.Sequential:
    """Return a small float64 network: most weights lie in -3 to 3, some far outside."""
    generator = torch.Generator().manual_seed(3)
    module = nn.Sequential(nn.Linear(2, 7), nn.LeakyReLU(), nn.Linear(7, 3)).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 1.8, generator=generator)
        module.get_parameter("0.weight")[:3, 0] = torch.tensor([-3.31, 4.7, 25.3])
    return module


@pytest.fixture
def make_loss(network: nn.Sequential) -> Callable[..., KolmogorovLoss]:
    """Makes a seeded loss of ``network`` with the defaults of the draw-poly programs."""
    usual: dict[str, Any] = {
        "predictor": "coordinate",
        "weight_range": (-3.0, 3.0),
        "targets": "soft",
    }

    def make(**settings: Any) -> KolmogorovLoss:
        generator = torch.Generator().manual_seed(5)
        return KolmogorovLoss(network, generator=generator, **usual | settings)

    return make


@pytest.fixture
def make_scale_loss() -> Callable[..., KolmogorovLoss]:
    """Makes a loss of tensors of all shapes with random predictor parameters."""

    def make(
        predictor: WeightPredictor, dtype: torch.dtype = torch.float64, **settings: Any
    ) -> KolmogorovLoss:
        generator = torch.Generator().manual_seed(2)
        usual: dict[str, Any] = {"predictor": predictor, "generator": generator}
        loss = KolmogorovLoss(all_shapes(dtype), **usual | settings)
        with torch.no_grad():
            for parameter in predictor.parameters():
                parameter.add_(
                    torch.randn(len(parameter), generator=generator, dtype=torch.float64)
                )
        return loss

    return make


def all_shapes(dtype: torch.dtype) -> nn.Module:
    """Return tensors of all shapes; each has weights of its own size, and some weights are 0."""
    generator = torch.Generator().manual_seed(1)
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
        for parameter in module.parameters():
            parameter.normal_(generator=generator)
            parameter.mul_(torch.rand((), generator=generator))
            parameter.view(-1)[:1] = 0
    return module
