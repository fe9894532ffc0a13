"""Learned features at the vertices of triangulated grids, interpolated within each triangle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bitfold.errors import PolytopeError
from bitfold.networks.encoding import MAX_EXACT_VERTICES, Encoding
from bitfold.networks.grid_interpolation import Corners, corners, is_near, padded, spread, unpadded
from bitfold.runtime.memory.parameter_memory import is_plain
from bitfold.runtime.plain_operations import uses_plain_operations

# Features are this many times the weights. Adam's steps do not depend on the size of a gradient,
# so that features then learn this many times as fast as the layers behind them, as they should:
# each of them sees only the points of a few triangles.
FEATURE_GAIN: Final = 8.0
_INITIAL_FEATURES: Final = 0.1


class GridFeatures(nn.Module):
    """Each coordinate, and learned features that are linear on each triangle of several grids.

    Level k = 0, 1, ... has 4 * 2^k cells along the longest side of the picture. Each cell is cut
    along its diagonal into two triangles; in a clip, into six tetrahedra. A feature is learned at
    each vertex and interpolated barycentrically, so that it is piecewise linear, where bilinear
    interpolation is not. Beyond the picture features fall to 0 within one cell.

    Source: grids of several resolutions from Müller et al. 2022, "Instant neural graphics
    primitives with a multiresolution hash encoding", here whole, without hashing; the
    triangulation from Freudenthal 1942. The hat function of a vertex is, for the distances u in
    cells from it, ``relu(1 - relu(max(u)) - relu(max(-u)))``.

    Args:
        in_features: coordinates of a point, 2 or 3.
        num_levels: 1 to 8.
        num_level_features: features of each level, 1 to 16.
        generator: a CPU generator that draws the features; None: the global one.

    Attributes:
        tables: for each level its features, float (features * side^(d - 1), side), for d
            coordinates and side = 4 * 2^k + 1 vertices. A row belongs to one feature, one y and,
            in a clip, one time.

    Raises:
        ShapeError: the coordinates are neither 2 nor 3.

    Guarantees: all folds lie on the edges of the triangles.

    >>> grids = GridFeatures(2, 2, 3)
    >>> grids(torch.zeros(5, 2)).shape, [tuple(table.shape) for table in grids.tables]
    (torch.Size([5, 8]), [(15, 5), (27, 9)])
    """

    is_encoding: Final = True  # its folds are drawn faintly

    def __init__(
        self,
        in_features: int,
        num_levels: int,
        num_level_features: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        encoding = Encoding(num_levels=num_levels, num_level_features=num_level_features)
        self.in_features, self.encoding = in_features, encoding
        self.out_features = encoding.num_features(in_features)
        std = _INITIAL_FEATURES / FEATURE_GAIN
        self.tables = nn.ParameterList(
            nn.Parameter(torch.empty(shape, device="cpu").normal_(0.0, std, generator=generator))
            for shape in encoding.table_shapes(in_features)
        )

    def forward(self, points: Tensor) -> Tensor:
        """Encode points.

        Args:
            points: float (N, in_features), coordinates within [-0.5, 0.5].

        Returns:
            float (N, out_features): the coordinates, then the features of each level.
        """
        if uses_plain_operations():
            features = [self._by_hats(points, *level) for level in self._levels()]
        elif torch.is_grad_enabled():
            # PyTorch leaves Function.apply without types.
            apply: Callable[..., Tensor] = _Interpolated.apply
            cells = self.encoding.cells
            features = [
                apply(points, table, number)
                for table, number in zip(self.tables, cells, strict=True)
            ]
        else:
            features = [_OPERATION(points, *level) for level in self._levels()]
        return torch.cat([points, *features], 1)

    def _levels(self) -> list[tuple[Tensor, int]]:
        return list(zip(self.tables, self.encoding.cells, strict=True))

    def _by_hats(self, points: Tensor, table: Tensor, cells: int) -> Tensor:
        """Interpolate as a sum of hat functions, each of folds along edges alone.

        Raises:
            PolytopeError: there are too many vertices.
        """
        if not self.encoding.has_exact_folds(self.in_features):
            raise PolytopeError(
                f"Cannot find exact polytopes: expected grids of at most {MAX_EXACT_VERTICES:,} "
                f"vertices, got those of {self.encoding}. Take fewer levels, or sample the "
                "partition."
            )
        vertices = _vertices(self.in_features, cells).to(points)
        away = points.unsqueeze(1) * cells - vertices
        over, under = away.select(2, 0), (-away).select(2, 0)
        for axis in range(1, self.in_features):
            over = torch.maximum(over, away.select(2, axis))
            under = torch.maximum(under, (-away).select(2, axis))
        hats = torch.relu(1 - torch.relu(over) - torch.relu(under))
        features = table.reshape(self.encoding.num_level_features, len(vertices))
        return torch.matmul(hats, features.t() * FEATURE_GAIN)

    def extra_repr(self) -> str:
        """Name coordinates and encoding in the module's repr."""
        return f"{self.in_features}, {str(self.encoding)!r}"


def _vertices(dimensions: int, cells: int) -> Tensor:
    """Return the coordinates (V, d) of a grid's vertices in cells; x changes fastest."""
    side = torch.arange(cells + 1, dtype=torch.float64, device="cpu") - cells / 2
    mesh = torch.meshgrid(*[side] * dimensions, indexing="ij")
    return torch.stack([axis.reshape(-1) for axis in reversed(mesh)], 1)


def _interpolate(points: Tensor, table: Tensor, cells: int) -> Tensor:
    """Return the features (N, F) at points."""
    flat = padded(table, cells, points.shape[1])
    if _suits_loops(points, table):
        return _by_loops(points, flat, cells)[0]
    found = corners(points, cells)
    return FEATURE_GAIN * (flat[found.vertices] * found.shares.unsqueeze(2)).sum(1)


def _suits_loops(points: Tensor, table: Tensor) -> bool:
    """Whether the compiled loops take these tensors; they give no gradient of points."""
    return is_plain(points) and is_plain(table) and not points.requires_grad


def _by_loops(points: Tensor, flat: Tensor, cells: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the features (N, F), and the corners and shares (N, d + 1) of points."""
    from bitfold.networks.grid_kernels import interpolate  # noqa: PLC0415 - Numba is slow to import

    shape = len(points), points.shape[1] + 1
    vertices, shares = (
        torch.empty(shape, dtype=torch.int32, device="cpu"),
        torch.empty(shape, device="cpu"),
    )
    features = torch.empty(len(points), flat.shape[1], device="cpu")
    place = vertices.numpy(), shares.numpy()
    given = points.contiguous().numpy(), flat.detach().numpy()
    interpolate(*given, (cells, FEATURE_GAIN), place, features.numpy())
    return features, vertices, shares


# One operation, so that those who watch folds see none of the jumps within it.
# PyTorch leaves its library without types.
_LIBRARY: Any = torch.library.Library("bitfold", "FRAGMENT")  # type: ignore[no-untyped-call]
_LIBRARY.define("grid_features(Tensor points, Tensor table, int cells) -> Tensor")
_LIBRARY.impl("grid_features", _interpolate, "CompositeExplicitAutograd")
_OPERATION: Callable[[Tensor, Tensor, int], Tensor] = torch.ops.bitfold.grid_features


class _Interpolated(torch.autograd.Function):
    """The features with their gradients, which PyTorch's own would take several times as long."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, cells: int) -> Tensor:
        ctx.cells, ctx.dimensions = cells, points.shape[1]
        flat = padded(table, cells, ctx.dimensions)
        ctx.has_loops = _suits_loops(points, table)
        if ctx.has_loops:
            features, vertices, shares = _by_loops(points.detach(), flat, cells)
            ctx.save_for_backward(vertices, shares)
            return features
        found = corners(points, cells)
        rows = flat[found.vertices]
        ctx.save_for_backward(found.vertices, found.shares, found.order, rows, points)
        return FEATURE_GAIN * (rows * found.shares.unsqueeze(2)).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        size = math.prod([ctx.cells + 3] * ctx.dimensions)
        if ctx.has_loops:
            return None, _spread_by_loops(ctx, grad, size), None
        vertices, shares, order, rows, points = ctx.saved_tensors
        grad = FEATURE_GAIN * grad
        of_points = of_table = None
        if ctx.needs_input_grad[1]:
            flat = spread(Corners(vertices, shares, order), grad, size)
            of_table = unpadded(flat, ctx.cells, ctx.dimensions)
        if ctx.needs_input_grad[0]:
            # Along the k-th axis in order, the features change from corner k to corner k + 1.
            along = ((rows[:, 1:] - rows[:, :-1]) * grad.unsqueeze(1)).sum(2) * ctx.cells
            of_points = torch.zeros_like(along).scatter_(1, order, along)
            of_points *= is_near(points, ctx.cells)
        return of_points, of_table, None


def _spread_by_loops(ctx: Any, grad: Tensor, size: int) -> Tensor:
    """Return the gradient of a table from that of its features (N, F)."""
    from bitfold.networks import grid_kernels  # noqa: PLC0415 - Numba is slow to import

    place = tuple(saved.numpy() for saved in ctx.saved_tensors)
    flat = torch.zeros(size, grad.shape[1], device="cpu")
    grid_kernels.spread(place, grad.contiguous().numpy(), FEATURE_GAIN, flat.numpy())
    return unpadded(flat, ctx.cells, ctx.dimensions)
