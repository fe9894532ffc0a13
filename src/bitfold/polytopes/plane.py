"""Planes through the inputs of a network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.errors import PolytopeError

# A triangle this flat comes from points whose numbers were computed in float32 (2^-24).
_LEAST_HEIGHT = 2.0**-20
# A point between two others, computed in its own type, is off the line by some roundings.
_ROUNDINGS = 4


@dataclass(frozen=True, eq=False)
class Plane:
    """The inputs origin + s u + t v, for all coordinates s and t.

    Args:
        origin: one input without a batch dimension; any array or tensor of real numbers.
        u: the first direction, of the same shape.
        v: the second direction, of the same shape.

    Raises:
        PolytopeError: the shapes differ, a number is not finite, or the directions do not span a
            plane.

    >>> plane = Plane(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 2.0, 0]))
    >>> plane.inputs(np.array([[0.5, 0.5]])).tolist()
    [[0.5, 1.0, 0.0]]
    """

    origin: Any
    u: Any
    v: Any

    def __post_init__(self) -> None:
        for name in ("origin", "u", "v"):
            object.__setattr__(self, name, _real(getattr(self, name)))
        shapes = {item.shape for item in (self.origin, self.u, self.v)}
        items = torch.stack([self.u.reshape(-1), self.v.reshape(-1)]) if len(shapes) == 1 else None
        if items is None or not bool(torch.isfinite(items).all() & self.origin.isfinite().all()):
            raise PolytopeError(
                "Cannot make a plane: expected three arrays of finite numbers and equal shape, got "
                f"shapes {sorted(map(tuple, shapes))}. Give one input and two directions of it."
            )
        if np.linalg.matrix_rank(items.numpy()) < 2:
            raise PolytopeError(
                "Cannot make a plane: expected two directions that span a plane, got parallel "
                "directions or zero. Choose others."
            )

    @classmethod
    def through(cls, a: Any, b: Any, c: Any) -> Plane:
        """The plane through three inputs: (0, 0) is a, (1, 0) is b, (0, 1) is c.

        Raises:
            PolytopeError: as `Plane`, or if the points lie on a line up to rounding: the height of
                their triangle over its longest side is below 2**-20, or the height is within the
                rounding errors of the points' own type.

        >>> Plane.through(np.zeros(2), np.array([2.0, 0]), np.array([0, 1.0])).u.tolist()
        [2.0, 0.0]
        """
        points = [_real(item) for item in (a, b, c)]
        if len({item.shape for item in points}) == 1:
            _check_triangle(points, _precision((a, b, c)))
        return cls(points[0], points[1] - points[0], points[2] - points[0])

    def inputs(self, points: NDArray[np.float64]) -> Tensor:
        """The inputs at points of the plane.

        Args:
            points: (N, 2).

        Returns:
            float64 (N, ...).
        """
        if self._is_flat:
            return torch.from_numpy(np.array(points, np.float64) + 0.0)  # -0 is 0, as in a sum
        at = torch.from_numpy(np.array(points, np.float64))
        inputs: Tensor = torch.addmm(self._flat_origin, at, self._directions)
        return inputs.view(len(at), *self.origin.shape)

    def sizes(self, points: NDArray[np.float64]) -> Tensor:
        """A bound of `|origin| + |s u| + |t v|` over points (N, 2), float64 (...).

        The rounding errors of `inputs` are proportional to it.
        """
        largest = np.abs(points).max(0)
        if self._is_flat:
            return torch.from_numpy(largest)
        s, t = largest.tolist()
        origin, u, v = self._sizes
        return torch.from_numpy(origin + s * u + t * v)

    @cached_property
    def _is_flat(self) -> bool:
        """Whether an input is its own coordinates: small networks are then cut without PyTorch."""
        numbers = [item.tolist() for item in (self.origin, self.u, self.v)]
        return numbers == [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]

    @cached_property
    def _sizes(self) -> tuple[NDArray[np.float64], ...]:
        return tuple(item.abs().numpy() for item in (self.origin, self.u, self.v))

    @cached_property
    def _flat_origin(self) -> Tensor:
        flat: Tensor = self.origin.reshape(-1)
        return flat

    @cached_property
    def _directions(self) -> Tensor:
        return torch.stack([self.u.reshape(-1), self.v.reshape(-1)])


class OnPlane(nn.Module):
    """A network restricted to a plane: maps coordinates (N, 2) to outputs (N, outputs).

    Args:
        network: any module that takes a batch of inputs of the plane's shape.
        plane: the plane that the coordinates belong to.

    >>> network = OnPlane(nn.Flatten(), Plane(np.zeros((2, 1)), np.eye(2)[:, :1], np.ones((2, 1))))
    >>> network(torch.tensor([[3.0, 5.0]])).tolist()
    [[8.0, 5.0]]
    """

    def __init__(self, network: nn.Module, plane: Plane) -> None:
        super().__init__()
        self.network = network
        self._rows = torch.stack([plane.origin, plane.u, plane.v])

    def forward(self, points: Tensor) -> Tensor:
        """The outputs at points, on the device of the points."""
        # Type first, then device: not every device has float64.
        origin, u, v = self._rows.to(points.dtype).to(points.device)
        s, t = (points[:, k].reshape(-1, *[1] * origin.ndim) for k in range(2))
        outputs: Tensor = self.network(origin + s * u + t * v)
        return outputs.reshape(len(points), -1)


def _check_triangle(points: list[Tensor], precision: float) -> None:
    u, v = ((item - points[0]).reshape(-1) for item in points[1:])
    height, longest = _triangle(u, v)
    noise = _ROUNDINGS * precision * max(float(item.norm()) for item in points)
    # Points that are equal or not finite are left to the plane's own checks.
    if longest > 0 and height < max(_LEAST_HEIGHT * longest, noise):
        raise PolytopeError(
            "Cannot make a plane: expected three points that span one, got points on a line: "
            f"the height of their triangle is {height / longest:.1e} of its longest side, "
            "which is rounding. Choose a third point off the line through the others."
        )


def _triangle(u: Tensor, v: Tensor) -> tuple[float, float]:
    """Height and longest side of the triangle from 0 to two points."""
    sides = sorted([u, v, u - v], key=lambda side: float(side.norm()))
    longest = float(sides[-1].norm())
    along = sides[-1] / longest
    return float((sides[0] - (sides[0] @ along) * along).norm()), longest


def _precision(items: tuple[Any, ...]) -> float:
    """The largest relative rounding error of the types of some points."""
    types = [torch.as_tensor(item, device="cpu").dtype for item in items]
    return max((torch.finfo(kind).eps for kind in types if kind.is_floating_point), default=0.0)


def _real(item: Any) -> Tensor:
    return torch.as_tensor(item, device="cpu").detach().cpu().to(torch.float64).clone()
