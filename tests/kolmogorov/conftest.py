"""What the tests of the Kolmogorov loss share: a network and losses of it."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from bitfold.kolmogorov import KolmogorovLoss


@pytest.fixture
def network() -> nn.Sequential:
    """A small float64 network, most of whose weights lie in -3 to 3 and some well beyond."""
    generator = torch.Generator().manual_seed(3)
    module = nn.Sequential(nn.Linear(2, 7), nn.LeakyReLU(), nn.Linear(7, 3)).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 1.8, generator=generator)
        module[0].weight[:3, 0] = torch.tensor([-3.31, 4.7, 25.3])
    return module


@pytest.fixture
def make_loss(network: nn.Sequential) -> Callable[..., KolmogorovLoss]:
    """Makes a seeded loss of ``network`` as the draw-poly programs do, but for what is given."""
    usual = {"predictor": "coordinate", "weight_range": (-3.0, 3.0), "targets": "soft"}

    def make(**settings: object) -> KolmogorovLoss:
        generator = torch.Generator().manual_seed(5)
        return KolmogorovLoss(network, generator=generator, **usual | settings)

    return make
