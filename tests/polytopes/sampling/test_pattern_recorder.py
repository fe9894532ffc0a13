"""Modules that the sampled engine accepts, and operations that count as neurons."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bitfold.polytopes import sample_partition, sample_patterns
from tests.polytopes.sampling.sampled_networks import AXIS, affine, network


class Functional(nn.Module):
    """Calls its activations as functions, one of them in place."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network([6, 5, 4, 1], nn.Identity, seed=3)

    def forward(self, points: Tensor) -> Tensor:
        """Apply relu, leaky relu in place and an absolute value."""
        hidden = functional.relu(self.layers[0](points))
        hidden = functional.leaky_relu_(self.layers[2](hidden), 0.2)
        result: Tensor = self.layers[6](self.layers[4](hidden).abs())
        return result


def test_functions_count_like_modules() -> None:
    """A module that calls its activations as functions has all its 15 neurons seen."""
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (500, 2)).astype(np.float32)
    module = Functional()
    values, patterns = sample_patterns(module, points)
    with torch.no_grad():
        first = module.layers[0](torch.from_numpy(points))
        second = module.layers[2](first.relu())
        third = module.layers[4](functional.leaky_relu(second, 0.2))
        expected = module.layers[6](third.abs())
    signs = (torch.cat([first, second, third], dim=1) > 0).numpy()
    bits = patterns[:, :1] >> np.arange(15, dtype=np.uint64) & np.uint64(1)
    assert np.array_equal(bits.astype(np.bool_), signs)
    np.testing.assert_allclose(values, expected.numpy(), atol=1e-6)


def residual(inner: nn.Module) -> nn.Module:
    """Add a module's output to its input."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, points: Tensor) -> Tensor:
            result: Tensor = points + self.inner(points)
            return result

    return Residual()


class Scaled(nn.Module):
    """Wraps a Sequential but does more than call it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network([5, 2])

    def forward(self, points: Tensor) -> Tensor:
        """Scale the points first."""
        result: Tensor = self.layers(3 * points)
        return result


class Unused(nn.Module):
    """Computes a layer and returns something else."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, points: Tensor) -> Tensor:
        """Leave the layer's result unused."""
        self.layer(points)
        return torch.relu(points)


@pytest.mark.parametrize(
    "module",
    [
        Scaled(),
        Unused(),
        residual(network([5, 2])),
        nn.Sequential(nn.ReLU(), nn.Linear(2, 1)),
        nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.LeakyReLU()),
        nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.ReLU()),
        network([3, 1], nn.Tanh),
        network([3, 1]).double(),
        nn.Identity(),
    ],
)
def test_values_are_the_modules_own(module: nn.Module) -> None:
    """Values are the module's own, for modules that are more than a chain of layers."""
    module.eval()
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 2)).astype(np.float32)
    values, _ = sample_patterns(module, points)
    with torch.no_grad():
        parameters = list(module.parameters())
        dtype = parameters[0].dtype if parameters else torch.float32
        expected = module(torch.from_numpy(points).to(dtype))
    np.testing.assert_allclose(values, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("operation", "places"),
    [
        (torch.tanh, [0.0]),
        (functional.gelu, [0.0]),
        (torch.sin, [0.0]),
        (functional.elu, [0.0]),
        (functional.silu, [0.0]),
        (functional.softplus, [0.0]),
        (torch.sigmoid, [0.0]),
        (functional.hardtanh, [-1.0, 1.0]),
        (functional.relu6, [0.0, 6.0]),
        (functional.hardswish, [-3.0, 3.0]),
        (nn.PReLU(), [0.0]),
        (nn.Softshrink(0.75), [-0.75, 0.75]),
        (lambda z: z.clamp(min=-2.0), [-2.0]),
        (lambda z: z.clamp(-2.0, 2.5), [-2.0, 2.5]),
        (lambda z: torch.maximum(z, torch.full_like(z, 1.5)), [1.5]),
        (lambda z: torch.relu_(z + 0), [0.0]),
    ],
)
def test_thresholds_of_each_operation(
    operation: Callable[[Tensor], Tensor], places: list[float]
) -> None:
    """Each nonlinear operation folds where its input crosses its thresholds, and nowhere else."""

    class Applied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.after = affine([[16.0, 0.0]], [0.001]), affine([[1.0]], [0.0])

        def forward(self, points: Tensor) -> Tensor:
            result: Tensor = self.after(operation(self.before(points)))
            return result

    partition = sample_partition(Applied(), AXIS, AXIS[:2])
    positions = 16.0 * AXIS + 0.001
    expected = [int(np.flatnonzero(positions > place)[0]) - 1 for place in places]
    assert np.flatnonzero(partition.folds[0]).tolist() == expected
    assert partition.num_polytopes == len(places) + 1


@pytest.mark.parametrize(
    ("final", "num_polytopes"),
    [
        (nn.Identity(), 1),
        (nn.Sigmoid(), 1),
        (nn.Tanh(), 1),
        (nn.ReLU(), 2),
        (nn.LeakyReLU(), 2),
        (nn.Sequential(nn.Sigmoid(), nn.Flatten(0)), 1),
        (nn.Sequential(nn.Tanh(), nn.Linear(1, 1)), 2),
        (nn.Sequential(nn.Sigmoid(), nn.ReLU(inplace=True)), 2),
    ],
)
def test_smooth_output_is_no_fold(final: nn.Module, num_polytopes: int) -> None:
    """A smooth activation counts unless it is the output itself; a kinked one always counts."""
    module = nn.Sequential(affine([[1.0, 0.0]], [0.001]), final)
    assert sample_partition(module, AXIS, AXIS[:2]).num_polytopes == num_polytopes


def test_activations_of_weights_are_no_neurons() -> None:
    """A nonlinearity of weights alone is no neuron, even with as many rows as there are points."""

    class Positive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.raw = nn.Parameter(torch.randn(10, 2, generator=torch.Generator().manual_seed(0)))

        def forward(self, points: Tensor) -> Tensor:
            return points @ torch.relu(self.raw).T

    points = np.random.default_rng(0).uniform(-0.5, 0.5, (10, 2)).astype(np.float32)
    _, patterns = sample_patterns(Positive(), points)
    assert patterns.tolist() == [[0]] * 10
