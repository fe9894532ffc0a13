"""Tests of planes through three points that lie on a line, or nearly."""

import numpy as np
import pytest
import torch

from bitfold.errors import PolytopeError
from bitfold.polytopes import Plane


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("share", [0.3, 0.5, 1.7, -2.0])
@pytest.mark.parametrize("far", [0.0, 100.0])
def test_a_point_on_the_line_through_the_others_is_refused(
    dtype: torch.dtype, share: float, far: float
) -> None:
    """Points on a line are refused in every dtype and order, although rounding separates them."""
    torch.manual_seed(0)
    a, b = (torch.randn(3, 8, 8).to(dtype) + far for _ in range(2))
    c = a + share * (b - a)
    for points in ((a, b, c), (c, a, b), (b, c, a)):
        with pytest.raises(PolytopeError, match=r"on a line: the height .* is \d\.\de[-+]\d+"):
            Plane.through(*points)


@pytest.mark.parametrize("height", [1e-3, 1e-5])
def test_flat_and_small_triangles_are_taken(height: float) -> None:
    """Triangles that are flat, or small beside the distance from the origin, are accepted."""
    rng = np.random.default_rng(0)
    a, u, v = rng.normal(size=(3, 50))
    flat = Plane.through(a, a + u, a + 0.4 * u + height * v)
    assert np.linalg.matrix_rank(np.stack([flat.u, flat.v])) == 2
    small = Plane.through(a, a + height * u, a + height * v)
    assert np.allclose(small.u, height * u)


def test_whole_numbers_are_exact() -> None:
    """Whole numbers give an exact plane."""
    found = Plane.through([0, 0, 0], [1000, 0, 0], [500, 1, 0])
    assert found.v.tolist() == [500.0, 1.0, 0.0]
    for points in (([0, 0], [0, 0], [1, 1]), ([2, 2], [2, 2], [2, 2])):
        with pytest.raises(PolytopeError, match=r"on a line|parallel directions or zero"):
            Plane.through(*points)
