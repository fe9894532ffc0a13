"""The corners of the triangle in which a point lies, and its barycentric coordinates there."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Corners(NamedTuple):
    """Where points lie in a padded grid.

    Attributes:
        vertices: int64 (N, d + 1), the corners of each point's triangle or tetrahedron.
        shares: float (N, d + 1), the barycentric coordinates, which add up to 1.
        order: int64 (N, d): from corner k to corner k + 1 leads the axis ``order[k]``.
    """

    vertices: Tensor
    shares: Tensor
    order: Tensor


def corners(points: Tensor, cells: int) -> Corners:
    """Find the corners of the triangle of each point.

    The padded grid has a ring of cells more around the picture; points beyond it count as on its
    border.

    Source: Freudenthal 1942: a cell's point lies in the simplex that the order of its fractional
    coordinates names.

    Args:
        points: float (N, d), the picture is [-0.5, 0.5]^d.
        cells: cells along a side of the picture.

    >>> found = corners(torch.tensor([[0.0, -0.25]]), 1)
    >>> found.vertices.tolist(), found.shares.tolist()
    ([[5, 6, 10]], [[0.5, 0.25, 0.25]])
    """
    scaled = ((points + 0.5) * cells).nan_to_num(nan=-1.0).clamp(-1, cells + 1) + 1
    base = scaled.floor().clamp(max=cells + 1)
    fractions, order = torch.sort(scaled - base, dim=1, descending=True, stable=True)
    side, count = cells + 3, points.shape[1]
    strides = torch.tensor([side**axis for axis in range(count)], device=points.device)
    first = (base.long() * strides).sum(1, keepdim=True)
    vertices = torch.cat([first, first + strides[order].cumsum(1)], 1)
    shares = torch.cat([1 - fractions[:, :1], fractions[:, :-1] - fractions[:, 1:],
                        fractions[:, -1:]], 1)  # fmt: skip
    return Corners(vertices, shares, order)


def is_near(points: Tensor, cells: int) -> Tensor:
    """Return which coordinates lie on the padded grid: bool (N, d)."""
    return ((points + 0.5) * cells - cells / 2).abs() <= cells / 2 + 1


def padded(table: Tensor, cells: int, dimensions: int) -> Tensor:
    """Return a table's features (V, F) on the padded grid, whose further vertices have 0."""
    inner = table.reshape(-1, *[cells + 1] * dimensions)
    return functional.pad(inner, [1, 1] * dimensions).flatten(1).t().contiguous()


def unpadded(flat: Tensor, cells: int, dimensions: int) -> Tensor:
    """Return features (V, F) of the padded grid in a table's shape."""
    whole = flat.t().reshape(-1, *[cells + 3] * dimensions)
    for axis in range(1, dimensions + 1):
        whole = whole.narrow(axis, 1, cells + 1)
    return whole.reshape(-1, cells + 1)


def spread(found: Corners, values: Tensor, size: int) -> Tensor:
    """Return (size, F): for each vertex the values (N, F) of its points, times their shares."""
    shares = found.shares.unsqueeze(2) * values.unsqueeze(1)
    flat = values.new_zeros(size, values.shape[1])
    return flat.index_add_(0, found.vertices.reshape(-1), shares.reshape(-1, values.shape[1]))
