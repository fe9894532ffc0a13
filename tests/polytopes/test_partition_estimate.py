"""The estimate of the number of polytopes."""

from __future__ import annotations

import pytest

from bitfold.networks import PolytopeNet, TriangleWaves
from bitfold.polytopes import estimate_polytopes, partition
from tests.polytopes.test_triangle_waves import network

SQUARE = (-0.5, -0.5), (0.5, 0.5)


@pytest.mark.parametrize("module", [TriangleWaves(2, 5), network(2, 4)], ids=["waves", "network"])
def test_the_estimate_is_near_the_number(module: PolytopeNet) -> None:
    """Nine of some hundred squares estimate the number of polytopes to within a half."""
    number = partition(module.eval()).num_polytopes
    assert estimate_polytopes(module, *SQUARE, side=1 / 32) == pytest.approx(number, rel=0.5)


def test_no_folds_are_one_polytope() -> None:
    """The estimate for a network without folds is 1."""
    assert estimate_polytopes(PolytopeNet(2, "[]", 1).eval(), *SQUARE, side=0.1) == 1
