"""Grids of learned features: interpolation, gradients, and networks that use them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from bitfold import PolytopeNet, read_model, write_model
from bitfold.errors import ConfigError, ShapeError
from bitfold.networks import CompiledNet, Encoding, GridFeatures
from bitfold.networks.grid_features import FEATURE_GAIN
from bitfold.runtime.plain_operations import plain_operations


def grids(in_features: int, num_levels: int = 2) -> GridFeatures:
    """Return grids of three features each, in float64."""
    made = GridFeatures(in_features, num_levels, 3, torch.Generator().manual_seed(0)).double()
    for number, table in enumerate(made.tables):
        torch.nn.init.normal_(table, generator=torch.Generator().manual_seed(number))
    return made


def points(in_features: int, number: int = 500) -> Tensor:
    """Return points within the picture and beyond it."""
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(number, in_features, generator=generator, dtype=torch.float64) - 0.5) * 1.5


def test_features_at_vertices_are_the_weights() -> None:
    """A row of the table holds a feature at a y, and a column an x."""
    module = grids(2, 1)
    xs = torch.linspace(-0.5, 0.5, 5, dtype=torch.float64)
    x, y = torch.meshgrid(xs, xs, indexing="xy")
    found = module(torch.stack([x.reshape(-1), y.reshape(-1)], 1))[:, 2:]
    wanted = FEATURE_GAIN * module.tables[0].reshape(3, 25).t()
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("in_features", [2, 3])
def test_features_are_linear_within_a_triangle_and_along_its_edges(in_features: int) -> None:
    """Between two points of a triangle, features change linearly."""
    module = grids(in_features, 1)
    corner = torch.full((in_features,), 0.125, dtype=torch.float64)
    # All points whose fractions fall in the same order lie in one triangle.
    ends = torch.tensor([[0.9, 0.5, 0.3], [0.4, 0.4, 0.0]], dtype=torch.float64)[:, :in_features]
    first, last = corner - 0.125 + ends / 4
    at = module(torch.stack([first, (first + last) / 2, last]))
    torch.testing.assert_close(at[1], (at[0] + at[2]) / 2)


@pytest.mark.parametrize("in_features", [2, 3])
def test_hats_give_the_same_features(in_features: int) -> None:
    """The form that partitions follow equals the fast one, also beyond the picture."""
    module, at = grids(in_features), points(in_features)
    with torch.no_grad():
        fast = module(at)
        with plain_operations():
            torch.testing.assert_close(module(at), fast)
    torch.testing.assert_close(module(at).detach(), fast)


@pytest.mark.parametrize("in_features", [2, 3])
def test_gradients_are_those_of_differences(in_features: int) -> None:
    """Gradients by features and points equal finite differences."""
    module, at = grids(in_features), points(in_features, 25).requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda x, *_: module(x), (at, *module.tables), eps=1e-7, atol=1e-4
    )


@pytest.mark.parametrize("in_features", [2, 3])
def test_compiled_loops_give_the_same_features_and_gradients(in_features: int) -> None:
    """Compiled float32 features and gradients agree with PyTorch's in float64."""
    module, at = grids(in_features, 3), points(in_features)
    at[:8] = torch.arange(8)[:, None] / 8 - 0.5  # on vertices and edges
    weights = torch.linspace(-1, 1, module.out_features, dtype=torch.float64)
    (module(at) * weights).sum().backward()
    wanted = [table.grad for table in module.tables]
    fast = GridFeatures(in_features, 3, 3)
    fast.load_state_dict(module.state_dict())
    found = fast(at.float())
    (found * weights.float()).sum().backward()
    torch.testing.assert_close(found.double(), module(at), atol=1e-4, rtol=0)
    for table, gradient in zip(fast.tables, wanted, strict=True):
        assert gradient is not None
        torch.testing.assert_close(table.grad, gradient.float(), atol=1e-3, rtol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(fast(at.float()), found.detach())


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_points_that_are_no_numbers_lie_nowhere(kind: torch.dtype) -> None:
    """NaN and infinite coordinates give no features and read no memory outside the tables."""
    odd = torch.tensor([[float("nan"), 0.0], [float("inf"), 0.0], [0.0, -float("inf")]], dtype=kind)
    assert not grids(2).to(kind)(odd)[:, 2:].any()


def test_numbers_of_features_and_weights() -> None:
    """A network counts the features among its weights and lists them by name."""
    network = PolytopeNet(2, [5], 3, encoding="grid:3x2")
    assert network.num_encoded == 2 + 3 * 2
    assert network.num_parameters == sum(item.numel() for item in network.parameters())
    assert network.encoding.num_weights(2) == 2 * (5**2 + 9**2 + 17**2)
    assert "encoding='grid:3x2'" in repr(network)
    same = CompiledNet(network)(torch.zeros(3, 2))
    assert torch.equal(same, network(torch.zeros(3, 2)))


@pytest.mark.parametrize(
    "text", ["grid:", "grid:3", "grid:0x2", "grid:9x2", "grid:3x0", "grid:3x17"]
)
def test_odd_grids_are_refused(text: str) -> None:
    """Levels outside 1 to 8 and features outside 1 to 16 are refused."""
    with pytest.raises(ConfigError, match="Cannot use encoding"):
        Encoding.parse(text)


def test_only_points_of_pictures_and_clips_are_encoded() -> None:
    """Networks of one or of four coordinates have no grids."""
    with pytest.raises(ShapeError, match="expected 2 coordinates"):
        PolytopeNet(4, [5], 3, encoding="grid:3x2")


@pytest.mark.parametrize("in_features", [2, 3])
def test_a_file_keeps_the_grids(in_features: int, tmp_path: Path) -> None:
    """The recipe names levels and features, and the decoded network is close to the first."""
    network = PolytopeNet(in_features, [5], 3, encoding="grid:2x3")
    write_model(tmp_path / "a", network, tolerance=0.001)
    read = read_model(tmp_path / "a")
    assert isinstance(read, PolytopeNet)
    assert str(read.encoding) == "grid:2x3"
    at = points(in_features).float()
    with torch.no_grad():
        torch.testing.assert_close(read(at), network(at), atol=0.02, rtol=0)
