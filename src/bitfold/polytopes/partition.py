"""All polytopes of a network on a piece of a plane."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bitfold.errors import PolytopeError
from bitfold.polytopes.cache import lower
from bitfold.polytopes.exact import Cutting
from bitfold.polytopes.level_sets import boundary_between, level_lines
from bitfold.polytopes.lowering import Bend
from bitfold.polytopes.mesh import Mesh
from bitfold.polytopes.module import points_like
from bitfold.polytopes.partition_check import check_partition
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.plotting import plot_partition
from bitfold.polytopes.program import Program
from bitfold.polytopes.readings import maps_at, outputs_at, patterns_at

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]

UNIT_SQUARE = ((-0.5, -0.5), (0.5, 0.5))
#: The inputs of a network of two.
_FLAT = Plane(np.zeros(2), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
#: Polytopes beyond which a search is given up, unless another limit is asked for.
MAX_POLYTOPES = 20_000_000


@dataclass(frozen=True, eq=False)
class Partition:
    """The polytopes of a network on a convex polygon of a plane; see `partition`.

    Nothing later changes its arrays.

    Source: none, ours.

    Args:
        vertices: float64 (V, 2), in coordinates of the plane.
        edges: int32 (E, 2), vertices; no two edges join the same two.
        face_offsets: int32 (F + 1,), where each face begins in ``face_vertices``.
        face_vertices: int32, the vertices around each face, counter-clockwise.
        face_edges: int32, beside it: the edge from there to the next vertex.
        neighbours: int32 (E, 2), the faces left and right of each edge, -1 beyond the border.
        owner_offsets: int32 (E + 1,), where each edge's owners begin in ``owners``; none on the
            border.
        owners: int32, neurons, numbered through all layers.
        layer_sizes: how many neurons each layer has, in the order of evaluation. Of a max-pooling
            each element of each window is one, active where it wins.
        layers: what bends in each.
        num_given_up: folds that end within a face too thin, within rounding, to say how they go on.
        plane: where it lies among the inputs.
        program: the network as it was.
        known_outputs: see `vertex_outputs`; None if they are not known yet.
    """

    vertices: Doubles
    edges: Ints
    face_offsets: Ints
    face_vertices: Ints
    face_edges: Ints
    neighbours: Ints
    owner_offsets: Ints
    owners: Ints
    layer_sizes: tuple[int, ...]
    layers: tuple[Bend, ...]
    num_given_up: int
    plane: Plane = field(repr=False)
    program: Program = field(repr=False)
    known_outputs: Doubles | None = field(default=None, repr=False)

    @property
    def num_polytopes(self) -> int:
        """How many polytopes there are."""
        return len(self.face_offsets) - 1

    @property
    def num_neurons(self) -> int:
        """How many neurons there are in all layers; one with two thresholds counts twice."""
        return sum(self.layer_sizes)

    @cached_property
    def owner_layers(self) -> Ints:
        """By owner the layer that it belongs to."""
        starts = np.cumsum([0, *self.layer_sizes])
        return (np.searchsorted(starts, self.owners, side="right") - 1).astype(np.int32)

    @cached_property
    def areas(self) -> Doubles:
        """Areas of the faces, float64 (F,), in coordinates of the plane."""
        corners = self.vertices[self.face_vertices] - self.vertices.mean(0)
        ends = self.edges[self.face_edges].sum(1) - self.face_vertices
        after = self.vertices[ends] - self.vertices.mean(0)
        crossed = corners[:, 0] * after[:, 1] - corners[:, 1] * after[:, 0]
        return np.add.reduceat(crossed, self.face_offsets[:-1]) / 2

    @cached_property
    def centroids(self) -> Doubles:
        """A point within each face, the mean of its vertices: float64 (F, 2)."""
        sums = np.add.reduceat(self.vertices[self.face_vertices], self.face_offsets[:-1])
        return sums / np.diff(self.face_offsets)[:, None]

    @cached_property
    def vertex_outputs(self) -> Doubles:
        """The network's outputs at the vertices, float64 (V, outputs)."""
        known = self.known_outputs
        return self.evaluate(self.vertices) if known is None else known

    @cached_property
    def patterns(self) -> NDArray[np.uint64]:
        """Activation patterns, uint64 (F, words): neuron k is bit k % 64 of word k // 64."""
        return patterns_at(self.program, self.plane, self.centroids)

    def affine_maps(self) -> Doubles:
        """The map on each face, float64 (F, outputs, 3): by the plane's coordinates, and 1."""
        return maps_at(self.program, self.plane, self.centroids)

    def evaluate(self, points: Any) -> Doubles:
        """The network's outputs at points (N, 2) of the plane: float64 (N, outputs)."""
        return outputs_at(self.program, self.plane, _points(points))

    def locate(self, points: Any) -> NDArray[np.int64]:
        """The face of each point (N, 2); -1 outside. On a fold it is one of the faces beside it."""
        wanted = _points(points)
        known = {row.tobytes(): number for number, row in enumerate(self.patterns)}
        patterns = patterns_at(self.program, self.plane, wanted)
        found = np.array([known.get(row.tobytes(), -1) for row in patterns], np.int64)
        for number in np.flatnonzero(found < 0):
            found[number] = self._containing(wanted[number])
        outside = ~self._in_domain(wanted)
        found[outside] = -1
        return found

    def level_set(self, output: int = 0, value: float = 0.0) -> list[Doubles]:
        """Where an output has a value, as polylines (n, 2); closed ones end where they begin."""
        values = self.vertex_outputs
        if not 0 <= output < values.shape[1]:
            raise PolytopeError(
                f"Cannot draw a level set: expected an output of 0 to {values.shape[1] - 1}, got "
                f"{output}. Choose one of these."
            )
        return level_lines(self, values[:, output] - value)

    def decision_boundary(self) -> list[Doubles]:
        """Where the largest output changes, as polylines; of one output, where it is 0."""
        values = self.vertex_outputs
        if values.shape[1] == 1:
            return level_lines(self, values[:, 0])
        return boundary_between(self, values)

    def plot(
        self, axes: Any, *, faces: str = "value", output: int = 0, line_width: float = 0.6
    ) -> None:
        """Draw folds, coloured by layer, and the decision boundary on matplotlib's axes.

        Args:
            axes: of matplotlib.
            faces: how they are filled: by the output's ``"value"`` at their centre, by ``"area"``
                (its logarithm), by ``"slope"`` (norm of the output's gradient), or ``"none"``.
            output: which one.
            line_width: of folds, in points.

        Raises:
            PolytopeError: there is no such filling, or no such output.
        """
        plot_partition(self, axes, faces, output, line_width)

    def check(self) -> None:
        """Verify the partition against itself and the network.

        Raises:
            PolytopeError: V - E + F is not 1, areas do not add up, a face is not convex, patterns
                of neighbours do not differ by their edge's owners, or a map does not give the
                network's outputs; the error names the place.
        """
        check_partition(self)

    def _in_domain(self, points: Doubles) -> NDArray[np.bool_]:
        is_border = np.diff(self.owner_offsets) == 0
        border = np.flatnonzero(is_border & (self.neighbours.min(1) < 0))
        inside = np.ones(len(points), bool)
        for edge in border:
            a, b = self.vertices[self.edges[edge]]
            if self.neighbours[edge, 0] < 0:
                a, b = b, a
            inside &= _cross(b - a, points - a) >= -1e-12
        return inside

    def _containing(self, point: Doubles) -> int:
        """The face whose sides a point is least beyond."""
        starts = self.vertices[self.face_vertices]
        ends = self.vertices[self.edges[self.face_edges].sum(1) - self.face_vertices]
        beyond = _cross(ends - starts, point - starts)
        return int(np.argmax(np.minimum.reduceat(beyond, self.face_offsets[:-1])))


def partition(
    network: nn.Module,
    domain: Any = UNIT_SQUARE,
    plane: Plane | tuple[Any, Any, Any] | None = None,
    *,
    until_layer: int | None = None,
    max_polytopes: int = MAX_POLYTOPES,
    with_outputs: bool = False,
) -> Partition:
    """Find every polytope of a network on a convex polygon of a plane through its inputs.

    A polytope is the set of inputs at which the same neurons are above the thresholds at which they
    bend; the network is affine on it.

    Source: none, ours: all vertices go through a layer in one product; their signs, packed into
    words, give the neurons that cross each edge and fold each face; each face then is cut by its
    own chords. Signs are decided by bounds of what rounding does (see `bounds.Bounds`).

    Args:
        network: any module of piecewise linear operations, in evaluation mode; it is read, in
            float64, and left as it is.
        domain: two opposite corners of a rectangle, or the corners of a convex polygon in turn.
        plane: where the domain lies among the inputs: a `Plane`, or its origin and two directions;
            None for a network of two inputs.
        until_layer: leave out folds of later layers than so many, counted in operations that
            bend; maps, patterns and outputs are those of the whole network all the same. None: all.
        max_polytopes: how many there may be.
        with_outputs: work out `Partition.vertex_outputs` on the way, which takes less than later.

    Returns:
        The partition. Until a layer, its faces are no polytopes of the whole network yet, and
        `Partition.check` refuses it.

    Raises:
        PolytopeError: the network is in training mode, is not piecewise linear, has a weight that
            is not finite, or has too many polytopes; or the domain is no convex polygon.

    >>> import torch
    >>> generator = torch.Generator().manual_seed(0)
    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).eval()
    >>> for parameter in network.parameters():
    ...     _ = nn.init.normal_(parameter, generator=generator)
    >>> found = partition(network, domain=((-2, -2), (2, 2)))
    >>> found.num_polytopes, round(float(found.areas.sum()), 9)
    (6, 16.0)
    """
    border = _corners(domain)
    where = _plane(plane)
    program = Program(*lower(network, points_like(network, where.origin.float())))
    mesh = Mesh(border)
    with torch.no_grad():
        wanted = with_outputs and until_layer is None
        cutting = Cutting(program, mesh, where, max_polytopes, until_layer, with_outputs=wanted)
        cutting.run_to_last_bend()
        outputs = cutting.outputs() if wanted else None
    corners, around, neighbours, owner_offsets, owners = mesh.described()
    return Partition(
        mesh.points,
        mesh.edges,
        mesh.faces[0],
        corners,
        around,
        neighbours,
        owner_offsets,
        owners,
        tuple(cutting.sizes),
        tuple(program.lowered.bends.values())[: len(cutting.sizes)],
        mesh.num_given_up,
        where,
        program,
        outputs,
    )


def _corners(domain: Any) -> Doubles:
    try:
        corners = np.array(domain, np.float64)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.shape == (2, 2):
        (left, low), (right, high) = corners.tolist()
        corners = np.array([(left, low), (right, low), (right, high), (left, high)])
        if -math.inf < left < right < math.inf and -math.inf < low < high < math.inf:
            return corners
    is_fit = corners.ndim == 2 and corners.shape[1] == 2 and len(corners) >= 3
    if is_fit and np.isfinite(corners).all():
        sides = np.roll(corners, -1, 0) - corners
        turns = _cross(sides, np.roll(sides, -1, 0))
        angles = np.arctan2(turns, (sides * np.roll(sides, -1, 0)).sum(1))
        if (turns > 0).all() and abs(angles.sum() - 2 * np.pi) < 1e-6:
            return corners
        if (turns < 0).all() and abs(angles.sum() + 2 * np.pi) < 1e-6:
            return corners[::-1].copy()
    raise PolytopeError(
        "Cannot find polytopes: expected a domain of two opposite corners or of a convex polygon's "
        f"corners in turn, got {str(domain)[:80]}. Give for example ((-0.5, -0.5), (0.5, 0.5))."
    )


def _plane(plane: Plane | tuple[Any, Any, Any] | None) -> Plane:
    if isinstance(plane, Plane):
        return plane
    return _FLAT if plane is None else Plane(*plane)


def _points(points: Any) -> Doubles:
    found = np.array(points, np.float64)
    if found.ndim != 2 or found.shape[1] != 2 or not np.isfinite(found).all():
        raise PolytopeError(
            f"Cannot look at points: expected finite ones as an array (N, 2), got shape "
            f"{found.shape}. Give coordinates of the plane."
        )
    return found


def _cross(first: Doubles, second: Doubles) -> Doubles:
    found: Doubles = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return found
