"""Max-pooling and maxout: winners, ties, owners, and edges that losing elements leave."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitfold.polytopes import Partition, Plane, partition
from bitfold.polytopes.cutting.mesh import Mesh
from bitfold.polytopes.cutting.pooling import dissolve

SQUARE = ((-1.0, -1.0), (1.0, 1.0))


class Largest(nn.Module):
    """Returns the largest of all features."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, features) to (N, 1)."""
        return x.amax(1, keepdim=True)


class Blocks(nn.Module):
    """Batch norm, a residual block and two max-poolings."""

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width))
        self.inner = nn.Conv2d(width, width, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(4 * width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 1, 8, 8) to (N, 3)."""
        x = self.pool(torch.relu(self.first(x)))
        x = self.pool(torch.relu(x + self.inner(x)))
        result: Tensor = self.head(x.flatten(1))
        return result


def blocks(seed: int) -> tuple[nn.Module, Plane]:
    """Return a network with trained norms, and a plane through three inputs."""
    torch.manual_seed(seed)
    network = Blocks()
    network(torch.randn(50, 1, 8, 8))
    return network.eval(), Plane.through(*torch.randn(3, 1, 8, 8))


def layer(rows: list[list[float]]) -> nn.Linear:
    """Return a linear layer without biases."""
    found = nn.Linear(2, len(rows))
    found.load_state_dict({"weight": torch.tensor(rows), "bias": torch.zeros(len(rows))})
    return found


def owners_between(
    found: Partition, one: tuple[float, float], other: tuple[float, float]
) -> set[int]:
    """Return the owners of the edge between the faces of two points."""
    faces = set(found.locate([one, other]).tolist())
    (edge,) = [k for k, pair in enumerate(found.neighbours.tolist()) if set(pair) == faces]
    start, end = found.owner_offsets[edge : edge + 2]
    return set(found.owners[start:end].tolist())


def test_a_tie_is_no_fold_and_its_first_element_wins() -> None:
    """Where both neurons are dead the tie makes no fold, and the first element wins."""
    network = nn.Sequential(layer([[1.0, 0.0], [0.0, 1.0]]), nn.ReLU(), Largest()).eval()
    found = partition(network, SQUARE)
    found.check()
    assert found.layer_sizes == (2, 2)
    # There are four quadrants, one of them cut along its diagonal.
    counts = len(found.vertices), len(found.edges), found.num_polytopes
    assert counts == (4 + 4 + 1, 8 + 4 + 1, 5)
    bits = {
        (-0.5, -0.5): 0b0100,
        (0.5, -0.5): 0b0101,
        (-0.5, 0.5): 0b1010,
        (0.6, 0.3): 0b0111,
        (0.3, 0.6): 0b1011,
    }
    for point, expected in bits.items():
        assert found.patterns[found.locate([point])].tolist() == [[expected]]
    assert owners_between(found, (-0.5, -0.5), (0.5, -0.5)) == {0}
    assert owners_between(found, (-0.5, -0.5), (-0.5, 0.5)) == {1, 2, 3}
    assert owners_between(found, (0.6, 0.3), (0.3, 0.6)) == {2, 3}
    assert owners_between(found, (0.6, 0.3), (0.6, -0.3)) == {1}


def test_losers_leave_no_edges() -> None:
    """Each of eight planes around a cone wins in one sector, and no other edge is left."""
    angles = 2 * np.pi * np.random.default_rng(0).permutation(8) / 8
    rows = np.stack([np.cos(angles), np.sin(angles)], 1).tolist()
    found = partition(nn.Sequential(layer(rows), Largest()).eval(), SQUARE)
    found.check()
    # The folds lie between the planes, so that none runs into a corner.
    assert (len(found.vertices), len(found.edges), found.num_polytopes) == (4 + 8 + 1, 12 + 8, 8)
    assert set(np.diff(found.owner_offsets).tolist()) == {0, 2}
    assert sorted(set(found.owners.tolist())) == list(range(8))


def test_one_element_that_always_wins_folds_nothing() -> None:
    """An element that always wins, or copies of an element, make no fold."""
    linear = layer([[1.0, 0.5], [1.0, 0.5], [0.2, 0.1]])
    with torch.no_grad():
        linear.bias.copy_(torch.tensor([3.0, 3.0, -3.0]))
    found = partition(nn.Sequential(linear, Largest()).eval(), SQUARE)
    found.check()
    assert found.num_polytopes == 1
    assert found.patterns.tolist() == [[0b001]]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_a_residual_network_with_pooling_checks(seed: int) -> None:
    """On a plane through three inputs, outputs and maps are the network's."""
    network, plane = blocks(seed)
    found = partition(network, ((-0.3, -0.3), (1.2, 1.2)), plane)
    found.check()
    assert found.layer_sizes == (192, 192, 48, 48)
    assert [bend.place for bend in found.layers] == ["", "pool", "", "pool"]
    assert set(found.owner_layers.tolist()) == {0, 1, 2, 3}
    points = np.random.default_rng(seed).uniform(-0.3, 1.2, (400, 2))
    expected = network.double()(plane.inputs(points)).detach().numpy()
    maps = found.affine_maps()[found.locate(points)]
    by_maps = maps[..., 0] * points[:, :1] + maps[..., 1] * points[:, 1:] + maps[..., 2]
    np.testing.assert_allclose(by_maps, expected, atol=1e-9)
    np.testing.assert_allclose(found.evaluate(points), expected, atol=1e-9)


def test_until_a_pooling_layer_only_its_folds_are_there() -> None:
    """Each layer adds polytopes, and keeps the positions of all earlier vertices."""
    network, plane = blocks(0)
    found = [partition(network, SQUARE, plane, until_layer=count) for count in range(5)]
    counts = [one.num_polytopes for one in found]
    assert counts == sorted(set(counts))
    assert counts[-1] == partition(network, SQUARE, plane).num_polytopes
    for one, after in pairwise(found):
        kept = {point.tobytes() for point in after.vertices}
        assert {point.tobytes() for point in one.vertices} <= kept
        assert one.num_given_up == 0


def test_faces_without_a_simple_outline_stay_apart() -> None:
    """A face that would lose its simple outline keeps all its edges, and is counted."""
    mesh = Mesh(np.array([(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]))
    xs, ys = mesh.points.T
    values = np.stack([xs - 1, ys - 1], 1)
    mesh.cut(values, np.full(2, 1e-12), 0, 100)
    # Three of the four edges that meet in the middle go; the fourth would end in a face.
    middle = int(np.flatnonzero((mesh.points == 1).all(1))[0])
    inner = np.flatnonzero((mesh.edges == middle).any(1))
    gone = np.zeros(len(mesh.edges), bool)
    gone[inner[:3]] = True
    kept = dissolve(mesh, gone, 4)
    assert mesh.num_given_up == 1
    assert mesh.num_faces == 4
    assert kept.all()
    gone = np.zeros(len(mesh.edges), bool)
    gone[inner[np.isin(mesh.owners[inner], [0])]] = True
    kept = dissolve(mesh, gone, 4)
    assert (mesh.num_faces, len(mesh.points), len(mesh.edges)) == (2, 6, 7)
    assert not kept[middle]
    assert (~kept).sum() == 3
