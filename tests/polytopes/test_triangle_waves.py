"""Exact polytopes of networks that begin with triangle waves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bitfold.networks import PolytopeNet, TriangleWaves
from bitfold.polytopes import Plane, partition


def network(in_features: int, num_octaves: int) -> PolytopeNet:
    """Return a small network with triangle waves."""
    return PolytopeNet(
        in_features,
        "[6]*2",
        2,
        encoding=f"triangle:{num_octaves}",
        generator=torch.Generator().manual_seed(3),
    ).eval()


@pytest.mark.parametrize("num_octaves", [1, 2, 5])
def test_the_waves_alone_cut_equal_squares(num_octaves: int) -> None:
    """The waves alone cut 4^(octaves + 1) squares, and each fold has one owner."""
    found = partition(TriangleWaves(2, num_octaves).eval())
    assert found.num_polytopes == 4 ** (num_octaves + 1)
    np.testing.assert_array_equal(found.areas, 1 / found.num_polytopes)
    assert np.diff(found.owner_offsets).max() == 1
    found.check()


@pytest.mark.parametrize("num_octaves", [1, 3])
def test_each_polytopes_map_is_the_network(num_octaves: int) -> None:
    """Areas add up, neighbours differ by the fold between them, and maps give the outputs."""
    module = network(2, num_octaves)
    found = partition(module)
    found.check()
    assert found.num_polytopes > 4 ** (num_octaves + 1)
    assert found.num_given_up == 0
    assert found.areas.sum() == pytest.approx(1, abs=1e-12)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (300, 2))
    maps = found.affine_maps()[found.locate(points)]
    ones = np.column_stack([points, np.ones(len(points))])
    with torch.no_grad():
        expected = module.double()(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(np.einsum("nok,nk->no", maps, ones), expected, atol=1e-9)


def test_a_clip_is_cut_along_its_time_too() -> None:
    """A plane of x and t has the waves of both: 16 squares, and the network's folds."""
    axes = np.eye(3)
    plane = Plane(0.1 * axes[1], axes[0], axes[2])
    assert partition(TriangleWaves(3, 1).eval(), plane=plane).num_polytopes == 16
    found = partition(network(3, 1), plane=plane)
    found.check()
    assert found.num_polytopes > 16


@pytest.mark.parametrize("centre", [(0.125, -0.25), (0.1234, 0.3217)])
def test_a_window_of_a_millionth_is_exact(centre: tuple[float, float]) -> None:
    """A window of a millionth is exact, also where four squares of the waves meet."""
    half = 5e-7
    corners = [(x - half, y - half) for x, y in [centre]] + [(centre[0] + half, centre[1] + half)]
    found = partition(network(2, 7), corners)
    found.check()
    num_squares = 4 if centre[0] == 0.125 else 1
    assert found.num_polytopes >= num_squares
    assert found.areas.sum() == pytest.approx(1e-12, rel=1e-9)
