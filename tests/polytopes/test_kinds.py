"""Every kind of layer that the exact engine accepts, checked and compared with dense samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bitfold.polytopes import Plane, partition, sample_patterns
from bitfold.polytopes.plane import OnPlane

SIDE = 3.0
DOMAIN = ((-SIDE, -SIDE), (SIDE, SIDE))
NUM_SAMPLES_A_SIDE = 120
FLAT, LINE, IMAGE, VOLUME = (6,), (2, 6), (2, 5, 5), (1, 3, 3, 3)

Function = Callable[[Tensor], Tensor]


class Calls(nn.Module):
    """Calls a function, for operations without a module of their own."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Return the function's result."""
        return self.function(x)


class Residual(nn.Module):
    """Adds a layer's output to its input."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Keep the input's shape."""
        return x + torch.relu(self.inner(x))


class Dense(nn.Module):
    """Concatenates its input and a layer's output."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Return twice as many channels."""
        return torch.cat([x, torch.relu(self.inner(x))], 1)


@dataclass(frozen=True)
class Kind:
    """A layer, and the shape of its input."""

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]


def calls(function: Function, shape: tuple[int, ...]) -> Kind:
    """Return a function as a kind of layer."""
    return Kind(lambda: Calls(function), shape)


KINDS = {
    "Linear": Kind(lambda: nn.Linear(6, 5), FLAT),
    "Linear without bias": Kind(lambda: nn.Linear(6, 5, bias=False), FLAT),
    "Linear along a sequence": Kind(lambda: nn.Linear(6, 4), LINE),
    "Linear along an image's rows": Kind(lambda: nn.Linear(5, 3, bias=False), IMAGE),
    "Conv1d": Kind(lambda: nn.Conv1d(2, 3, 3, stride=2, padding=1), LINE),
    "Conv2d": Kind(lambda: nn.Conv2d(2, 3, 3), IMAGE),
    "Conv2d, dilated in groups": Kind(lambda: nn.Conv2d(2, 4, 2, dilation=2, groups=2), IMAGE),
    "Conv2d, reflecting": Kind(
        lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), IMAGE
    ),
    "ConvTranspose2d": Kind(lambda: nn.ConvTranspose2d(2, 2, 2, stride=2), IMAGE),
    "BatchNorm1d": Kind(lambda: nn.BatchNorm1d(6), FLAT),
    "BatchNorm2d": Kind(lambda: nn.BatchNorm2d(2), IMAGE),
    "AvgPool1d": Kind(lambda: nn.AvgPool1d(2), LINE),
    "AvgPool2d": Kind(lambda: nn.AvgPool2d(2, padding=1), IMAGE),
    "MaxPool1d": Kind(lambda: nn.MaxPool1d(3, stride=1), LINE),
    "MaxPool2d": Kind(lambda: nn.MaxPool2d(2), IMAGE),
    "MaxPool2d, overlapping": Kind(lambda: nn.MaxPool2d(3, 2, padding=1), IMAGE),
    "MaxPool2d, dilated": Kind(lambda: nn.MaxPool2d(2, 1, dilation=2, ceil_mode=True), IMAGE),
    "MaxPool3d": Kind(lambda: nn.MaxPool3d(2, 1), VOLUME),
    "AdaptiveAvgPool2d": Kind(lambda: nn.AdaptiveAvgPool2d(2), IMAGE),
    "AdaptiveMaxPool1d": Kind(lambda: nn.AdaptiveMaxPool1d(4), LINE),
    "AdaptiveMaxPool2d": Kind(lambda: nn.AdaptiveMaxPool2d(2), IMAGE),
    "Flatten": Kind(nn.Flatten, IMAGE),
    "Identity": Kind(nn.Identity, FLAT),
    "Dropout": Kind(nn.Dropout, FLAT),
    "ZeroPad2d": Kind(lambda: nn.ZeroPad2d(1), IMAGE),
    "ReflectionPad2d": Kind(lambda: nn.ReflectionPad2d(1), IMAGE),
    "ReplicationPad1d": Kind(lambda: nn.ReplicationPad1d(2), LINE),
    "residual": Kind(lambda: Residual(nn.Linear(6, 6)), FLAT),
    "concatenation": Kind(lambda: Dense(nn.Conv2d(2, 2, 3, padding=1)), IMAGE),
    "concatenation with zeros": calls(
        lambda x: torch.cat([x, torch.zeros(x.shape[0], 2)], 1), FLAT
    ),
    "slicing": calls(lambda x: x[:, 1:, ::2, :-1], IMAGE),
    "slicing by a list": calls(lambda x: x[:, [0, 3, 1]], FLAT),
    "reshaping": calls(lambda x: x.reshape(len(x), 3, 2).transpose(1, 2).flatten(1), FLAT),
    "ReLU": Kind(nn.ReLU, FLAT),
    "ReLU in place": Kind(lambda: nn.ReLU(inplace=True), FLAT),
    "LeakyReLU": Kind(lambda: nn.LeakyReLU(0.2), FLAT),
    "PReLU": Kind(lambda: nn.PReLU(6), FLAT),
    "ReLU6": Kind(nn.ReLU6, FLAT),
    "Hardtanh": Kind(lambda: nn.Hardtanh(-0.5, 0.75), FLAT),
    "abs": calls(torch.abs, FLAT),
    "max of two": calls(lambda x: torch.max(*x.chunk(2, 1)), FLAT),
    "min of two": calls(lambda x: torch.minimum(x[:, :3], x[:, 3:]), FLAT),
    "max with zeros": calls(lambda x: torch.maximum(x, torch.zeros_like(x)), FLAT),
    "maxout": calls(lambda x: x.unflatten(1, (2, 3)).amax(2), FLAT),  # type: ignore[no-untyped-call] # torch leaves it untyped
    "minimum of a group": calls(lambda x: x.unflatten(1, (2, 3)).min(2).values, FLAT),  # type: ignore[no-untyped-call] # torch leaves it untyped
    "largest of all channels": calls(lambda x: x.max(1, keepdim=True)[0], IMAGE),
    "global max-pooling": calls(lambda x: x.amax((2, 3)), IMAGE),
}


def network_around(kind: Kind) -> nn.Module:
    """Put the layer between an affine map that mixes its inputs and one more layer."""
    size = int(np.prod(kind.shape))
    before = [nn.Linear(size, size), nn.Unflatten(1, kind.shape)]
    network = nn.Sequential(*before, kind.make(), nn.Flatten(), nn.LazyLinear(16), nn.ReLU())
    network = nn.Sequential(*network, nn.Linear(16, 3))
    inputs = 2 * torch.randn(64, size)
    network(inputs)  # norms collect statistics, lazy layers their sizes
    return network.double().eval()


@pytest.mark.parametrize("name", KINDS)
def test_a_partition_of_every_kind_checks_and_is_what_samples_show(name: str) -> None:
    """Outputs are the module's, and the partition has the patterns of a dense grid of samples."""
    torch.manual_seed(len(name))
    kind = KINDS[name]
    network = network_around(kind)
    plane = Plane(*torch.randn(3, int(np.prod(kind.shape))))
    found = partition(network, DOMAIN, plane)
    found.check()
    assert found.num_polytopes > 5
    axis = np.linspace(-SIDE, SIDE, NUM_SAMPLES_A_SIDE + 2)[1:-1].astype(np.float32)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    sampled, patterns = sample_patterns(OnPlane(network, plane), points)
    np.testing.assert_allclose(found.evaluate(points), sampled, rtol=1e-5, atol=1e-5)
    known = {row.tobytes() for row in found.patterns}
    assert len(known) == found.num_polytopes
    seen = {row.tobytes() for row in patterns}
    assert seen <= known
    large = found.areas > 25 * (axis[1] - axis[0]) ** 2
    shares = found.areas / found.areas.max()
    roundish = large & (shares > 0.05)
    assert {row.tobytes() for row in found.patterns[roundish]} <= seen
    faces = found.locate(points)
    assert (found.patterns[faces] == patterns).all(1).mean() > 0.999


def test_a_linear_layer_alone_has_one_polytope() -> None:
    """A linear layer, also with dropout in evaluation mode, has one polytope."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 3), nn.Dropout(), nn.Identity()).eval()
    found = partition(network, DOMAIN)
    found.check()
    assert found.num_polytopes == 1


@pytest.mark.parametrize("functional_name", ["max_pool2d", "adaptive_max_pool2d"])
def test_pooling_by_functions_is_the_same_as_by_modules(functional_name: str) -> None:
    """Pooling functions give the modules' partition, also if indices are returned and not used."""
    torch.manual_seed(0)
    first = nn.Conv2d(1, 2, 3)
    pool = getattr(functional, functional_name)
    plane = Plane(*torch.randn(3, 1, 6, 6))
    modules = {"max_pool2d": nn.MaxPool2d(2), "adaptive_max_pool2d": nn.AdaptiveMaxPool2d(2)}
    by_module = partition(nn.Sequential(first, modules[functional_name]).eval(), DOMAIN, plane)
    for function in (
        lambda x: pool(x, 2).flatten(1),
        lambda x: pool(x, 2, return_indices=True)[0].flatten(1),
    ):
        found = partition(nn.Sequential(first, Calls(function)).eval(), DOMAIN, plane)
        assert found.layer_sizes == (32,)
        np.testing.assert_array_equal(found.vertices, by_module.vertices)
        np.testing.assert_array_equal(found.owners, by_module.owners)
