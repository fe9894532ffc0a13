"""Tests of cutting dense layers in one call, with the results of cutting layer by layer."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import bitfold
from bitfold.polytopes.cutting import exact


def dense(seed: int, widths: list[int], bend: Callable[[], nn.Module], *, bias: bool) -> nn.Module:
    """Return a seeded network of two inputs."""
    torch.manual_seed(seed)
    parts: list[nn.Module] = []
    for fan_in, fan_out in zip([2, *widths], widths, strict=False):
        parts += [nn.Linear(fan_in, fan_out, bias=bias), bend()]
    return nn.Sequential(*parts, nn.Linear(widths[-1], 2)).eval()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bend", [nn.ReLU, lambda: nn.LeakyReLU(-0.3), nn.PReLU, nn.Hardtanh])
@pytest.mark.parametrize("until_layer", [None, 2])
def test_one_call_finds_what_layers_one_by_one_find(
    monkeypatch: pytest.MonkeyPatch, bend: Callable[[], nn.Module], bias: bool, until_layer: int
) -> None:
    """Cutting all layers in one call gives the partition of cutting layer by layer."""
    for seed in range(4):
        network = dense(seed, [9, 70, 5], bend, bias=bias)
        found = []
        for enough in (10**6, 20, 0):
            monkeypatch.setattr(exact, "_ENOUGH_FACES", enough)
            found.append(bitfold.partition(network, ((-4, -4), (4, 4)), until_layer=until_layer))
        whole, *others = found
        assert whole.num_polytopes > 20
        for other in others:
            np.testing.assert_array_equal(other.face_vertices, whole.face_vertices)
            np.testing.assert_array_equal(other.owners, whole.owners)
            np.testing.assert_allclose(other.vertices, whole.vertices, rtol=0, atol=1e-11)
            assert other.layer_sizes == whole.layer_sizes


def test_a_layer_that_is_needed_later_is_no_chain() -> None:
    """A residual sum around dense layers still reads the values before them."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.first(x).relu()
            result: torch.Tensor = self.last(h + self.second(h).relu())
            return result

    torch.manual_seed(1)
    found = bitfold.partition(Residual().eval(), ((-2, -2), (2, 2)))
    assert found.num_polytopes > 15
    found.check()


def test_a_module_is_freed_with_what_is_kept_of_it() -> None:
    """The cached trace and structure do not keep a module alive."""
    network = dense(0, [4], nn.ReLU, bias=True)
    bitfold.partition(network)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_the_border_far_from_the_origin() -> None:
    """In a small window far from the origin, values are as exact as the terms of their sums."""
    torch.manual_seed(3)
    network = dense(3, [40, 40], nn.ReLU, bias=True).double()
    wide = bitfold.partition(network, ((-1, -1), (1, 1)))
    inner = np.flatnonzero((np.abs(wide.vertices) < 0.9).all(1))
    at = wide.vertices[inner[len(inner) // 2]]
    plane = bitfold.Plane(at + 1000, np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    size = 1e-9
    near = bitfold.partition(network, (at - size, at + size))
    shifted = bitfold.partition(network, ((-1000 - size,) * 2, (-1000 + size,) * 2), plane)
    near.check()
    assert near.num_polytopes >= 3
    shifted.check()
    assert shifted.num_polytopes == near.num_polytopes


def test_faces_and_what_lies_beside_them() -> None:
    """Offsets and vertices fit together, and each side lists the neighbour with the same edge."""
    found = bitfold.partition(dense(2, [8, 8], nn.ReLU, bias=True), ((-2, -2), (2, 2)))
    offsets, vertices = found.faces
    assert offsets[-1] == len(vertices) == len(found.face_neighbours)
    for face in range(found.num_polytopes):
        sides = slice(offsets[face], offsets[face + 1])
        for edge, beside in zip(found.face_edges[sides], found.face_neighbours[sides], strict=True):
            assert sorted(found.neighbours[edge]) == sorted((face, beside))
