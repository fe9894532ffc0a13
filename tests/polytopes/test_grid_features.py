"""Exact polytopes of networks with grids of features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bitfold.errors import PolytopeError
from bitfold.networks import GridFeatures, PolytopeNet
from bitfold.polytopes import Plane, partition, sample_partition


@pytest.mark.parametrize("num_levels", [1, 2, 3])
def test_grids_alone_cut_equal_triangles(num_levels: int) -> None:
    """Grids alone cut each cell of the finest grid into two triangles."""
    found = partition(GridFeatures(2, num_levels, 1).eval())
    cells = 4 * 2 ** (num_levels - 1)
    assert found.num_polytopes == 2 * cells**2
    np.testing.assert_allclose(found.areas, 0.5 / cells**2)


def test_each_polytopes_map_is_the_network() -> None:
    """Each polytope's map gives the network's values at the centroid and the corners."""
    network = PolytopeNet(
        2, "[6]*2", 3, encoding="grid:2x2", generator=torch.Generator().manual_seed(0)
    ).eval()
    found = partition(network)
    assert found.num_polytopes > 128
    assert found.areas.sum() == pytest.approx(1)
    found.check()
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (300, 2))
    maps = found.affine_maps()[found.locate(points)]
    ones = np.column_stack([points, np.ones(len(points))])
    with torch.no_grad():
        wanted = network.double()(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(np.einsum("nok,nk->no", maps, ones), wanted, atol=1e-9)


def test_a_clips_slice_has_tetrahedra() -> None:
    """A plane through a clip's vertices cuts its cells into triangles."""
    plane = Plane(np.array([0.0, 0.0, 0.25]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    assert partition(GridFeatures(3, 1, 1).eval(), plane=plane).num_polytopes == 32


def test_fine_grids_are_sampled_without_their_own_folds() -> None:
    """Networks with five levels are sampled, and the raster shows only the layers' folds."""
    with pytest.raises(PolytopeError, match="at most 2,048 vertices"):
        partition(GridFeatures(2, 5, 1).eval())
    network = PolytopeNet(2, [4], 1, encoding="grid:5x1").eval()
    axis = np.linspace(-0.4, 0.4, 30)
    assert 1 <= sample_partition(network, axis, axis).num_polytopes <= 2**4
