"""Location of points in polytopes, against a search through all polytopes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bitfold.polytopes import Partition, load_partition, partition
from tests.polytopes.dense_networks import WIDE, dense

POLYGON = ((-1.0, -2.0), (2.5, -1.0), (3.0, 1.0), (0.0, 2.0), (-1.5, 0.5))
DOMAINS = {
    "square": WIDE,
    "polygon": POLYGON,
    "sliver": ((-3.0, -1e-5), (3.0, 1e-5)),
    "speck": ((0.3, 0.4), (0.3 + 1e-9, 0.4 + 1e-9)),
}


def depths(found: Partition, points: np.ndarray) -> np.ndarray:
    """Return each point's distance from the nearest side of each polytope: (N, F)."""
    starts = found.vertices[found.face_vertices]
    ends = found.vertices[found.edges[found.face_edges].sum(1) - found.face_vertices]
    along = (ends - starts) / np.hypot(*(ends - starts).T)[:, None]
    apart = points[:, None] - starts
    depth = along[:, 0] * apart[..., 1] - along[:, 1] * apart[..., 0]
    return np.minimum.reduceat(depth, found.face_offsets[:-1], axis=1)


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
@pytest.mark.parametrize("widths", [[], [1], [30], [12, 12, 12]])
def test_points_are_found_where_looking_at_all_polytopes_finds_them(
    widths: list[int], domain: tuple[tuple[float, float], ...]
) -> None:
    """Points inside, on folds, at vertices, on the border and outside are located rightly."""
    torch.manual_seed(len(widths))
    module = dense(widths, nn.ReLU) if widths else nn.Linear(2, 1).eval()
    found = partition(module, domain)
    low, high = found.vertices.min(0), found.vertices.max(0)
    size = high - low
    anywhere = np.random.default_rng(0).uniform(low - 0.2 * size, high + 0.2 * size, (800, 2))
    middles = found.vertices[found.edges].mean(1)
    points = np.concatenate([anywhere, found.vertices, middles, found.centroids])
    places, inside = found.locate(points), depths(found, points)
    assert places.dtype == np.int64
    tiny = 1e-13 * float(np.abs(found.vertices).max())
    held = inside.max(1)
    assert (places[held > tiny] >= 0).all()
    assert (places[800:] >= 0).all()
    assert (places[held < -1e3 * tiny] == -1).all()
    kept = places >= 0
    assert (inside[kept, places[kept]] >= -1e3 * tiny).all()
    clear = kept & (held > tiny)
    np.testing.assert_array_equal(places[clear], inside[clear].argmax(1))


def test_a_file_finds_and_evaluates_points_as_the_network_does(tmp_path: Path) -> None:
    """A partition from a file locates points and evaluates them by its maps."""
    torch.manual_seed(0)
    found = partition(dense([12, 12, 12], nn.LeakyReLU, outputs=3), POLYGON)
    found.save(tmp_path / "found.npz")
    loaded = load_partition(tmp_path / "found.npz")
    points = np.random.default_rng(1).uniform(-3, 3, (3000, 2))
    places = loaded.locate(points)
    np.testing.assert_array_equal(places, found.locate(points))
    inside = points[places >= 0]
    np.testing.assert_allclose(loaded.evaluate(inside), found.evaluate(inside), atol=1e-12)


def test_no_points_are_found_nowhere() -> None:
    """An empty array of points gives an empty result."""
    found = partition(nn.Linear(2, 1).eval(), WIDE)
    assert found.locate(np.empty((0, 2))).shape == (0,)
