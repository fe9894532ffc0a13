"""All polytopes of a network on a piece of a plane."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bitfold.errors import PolytopeError
from bitfold.polytopes.backends import Network, Source
from bitfold.polytopes.cutting.exact import Cutting
from bitfold.polytopes.cutting.mesh import Mesh
from bitfold.polytopes.cutting.room import room_for_polytopes
from bitfold.polytopes.domain import corners_of
from bitfold.polytopes.drawing.filling import Faces
from bitfold.polytopes.drawing.plotting import plot_partition
from bitfold.polytopes.files.partition_file import save_partition
from bitfold.polytopes.lowering.cache import lower
from bitfold.polytopes.lowering.lowered import Bend
from bitfold.polytopes.lowering.program import Program
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.subdivision.checks import check_partition
from bitfold.polytopes.subdivision.fold_lines import fold_lines
from bitfold.polytopes.subdivision.level_sets import boundary_between, level_lines
from bitfold.polytopes.subdivision.location import FaceTree
from bitfold.polytopes.tracing.probed_module import points_like

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]

UNIT_SQUARE = ((-0.5, -0.5), (0.5, 0.5))
#: The inputs of a network of two.
_FLAT = Plane(np.zeros(2), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
#: Polytopes beyond which a search is given up, unless another limit is asked for.
MAX_POLYTOPES = 20_000_000
# Sides of faces, four to a polytope, are numbered by int32.
_MOST_POLYTOPES = 2**28


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
        source: of patterns, maps and outputs: the network as it was, or a file.
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
    source: Source = field(repr=False)

    @property
    def faces(self) -> tuple[Ints, Ints]:
        """The faces as offsets (F + 1,) and vertices, counter-clockwise."""
        return self.face_offsets, self.face_vertices

    @cached_property
    def face_neighbours(self) -> Ints:
        """Beside ``face_edges``: the face on the other side of each, -1 beyond the border."""
        own = np.repeat(np.arange(self.num_polytopes, dtype=np.int32), np.diff(self.face_offsets))
        found: Ints = self.neighbours[self.face_edges].sum(1, dtype=np.int32) - own
        return found

    @property
    def num_polytopes(self) -> int:
        """How many polytopes there are."""
        return len(self.face_offsets) - 1

    @property
    def num_neurons(self) -> int:
        """How many neurons there are in all layers; one with two thresholds counts twice."""
        return sum(self.layer_sizes)

    @property
    def is_whole(self) -> bool:
        """Whether all layers' folds are there; if not, the network is not affine on each face."""
        return len(self.layers) == self.source.num_layers

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
    def patterns(self) -> NDArray[np.uint64]:
        """Activation patterns, uint64 (F, words): neuron k is bit k % 64 of word k // 64."""
        return self.source.patterns(self)

    def affine_maps(self) -> Doubles:
        """The map on each face, float64 (F, outputs, 3): by the plane's coordinates, and 1."""
        return self.source.maps(self)

    def evaluate(self, points: Any) -> Doubles:
        """The network's outputs at points (N, 2) of the plane: float64 (N, outputs).

        Raises:
            PolytopeError: the partition comes from a file, which says nothing of points outside.
        """
        return self.source.outputs(self, _points(points))

    @cached_property
    def vertex_outputs(self) -> Doubles:
        """The network's outputs at the vertices: float64 (V, outputs)."""
        return self.source.vertex_outputs(self)

    def locate(self, points: Any) -> NDArray[np.int64]:
        """The face of each point (N, 2); -1 outside. On a fold it is one of the faces beside it."""
        return self._tree.locate(_points(points))

    def fold_lines(self) -> list[list[Doubles]]:
        """By layer its folds as polylines (n, 2), each along one neuron, with no needless points.

        Folds that coincide are there once, with the earliest layer.
        """
        return fold_lines(self)

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
        self,
        axes: Any,
        *,
        faces: Faces = "value",
        output: int = 0,
        line_width: float = 0.6,
        boundary: bool = True,
        longer_px: int = 1024,
    ) -> Any:
        """Draw folds, coloured by layer, and the decision boundary on matplotlib's axes.

        Lines are drawn as they are, what fills the faces as a picture. SVG gets groups: ``faces``,
        ``layer-1`` and so on, ``boundary``.

        Args:
            axes: of matplotlib.
            faces: how they are filled: by the output's ``"value"``, by ``"area"`` (its logarithm),
                by ``"slope"`` (norm of the output's gradient), by ``"identity"`` (a colour for each
                activation pattern), or ``"none"``; or a function from outputs (N, outputs) to
                colours (N, 3), 0 to 1.
            output: which one.
            line_width: of folds, in points.
            boundary: whether to draw it.
            longer_px: pixels of the longer side of what fills the faces.

        Returns:
            What fills the faces, for a colour bar; None for ``"none"``.

        Raises:
            PolytopeError: there is no such filling, or no such output.
        """
        return plot_partition(
            self,
            axes,
            faces=faces,
            output=output,
            line_width=line_width,
            boundary=boundary,
            longer_px=longer_px,
        )

    def check(self) -> None:
        """Verify the partition against itself and the network.

        Raises:
            PolytopeError: V - E + F is not 1, areas do not add up, a face is not convex, patterns
                of neighbours do not differ by their edge's owners, or a map does not give the
                network's outputs; the error names the place.
        """
        check_partition(self)

    def save(self, path: str | Path) -> None:
        """Write everything but the network itself into a file that NumPy reads too.

        Args:
            path: of the file, by custom ending in ``.npz``; replaced at once when it is complete.
                docs/partition-files.md describes it; `load_partition` reads it.

        Raises:
            PolytopeError: it cannot be written.
        """
        save_partition(self, Path(path))

    @cached_property
    def _tree(self) -> FaceTree:
        return FaceTree(self)


@overload
def partition(
    network: nn.Module,
    domain: Any = ...,
    plane: Plane | tuple[Any, Any, Any] | None = ...,
    *,
    until_layer: int | None = ...,
    each_layer: Literal[False] = ...,
    max_polytopes: int = ...,
    with_outputs: bool = ...,
) -> Partition: ...
@overload
def partition(
    network: nn.Module,
    domain: Any = ...,
    plane: Plane | tuple[Any, Any, Any] | None = ...,
    *,
    until_layer: int | None = ...,
    each_layer: Literal[True],
    max_polytopes: int = ...,
    with_outputs: bool = ...,
) -> list[Partition]: ...


def partition(
    network: nn.Module,
    domain: Any = UNIT_SQUARE,
    plane: Plane | tuple[Any, Any, Any] | None = None,
    *,
    until_layer: int | None = None,
    each_layer: bool = False,
    max_polytopes: int = MAX_POLYTOPES,
    with_outputs: bool = False,
) -> Partition | list[Partition]:
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
        each_layer: give the partition after each layer too, all found in one pass.
        max_polytopes: how many there may be, at most 2**28. A network that has more is refused
            before there is room for more: docs/polytopes.md says how much memory that takes.
        with_outputs: work out `Partition.vertex_outputs` on the way, which takes less than later.

    Returns:
        The partition; with ``each_layer`` a list of them, one a layer, the last of which has all
        folds that are asked for. Neurons have the same numbers in all of them. Until a layer,
        faces are no polytopes of the whole network yet, and `Partition.check` refuses them.

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
    if not 1 <= max_polytopes <= _MOST_POLYTOPES:
        raise PolytopeError(
            f"Cannot find polytopes: expected max_polytopes of 1 to {_MOST_POLYTOPES:,}, got "
            f"{max_polytopes}. Choose one of these."
        )
    border = corners_of(domain)
    where = _plane(plane)
    program = Program(*lower(network, points_like(network, where.origin.float())))
    mesh = Mesh(border)
    source, by_layer = Network(program), []
    wanted = with_outputs and until_layer is None and not each_layer
    with torch.no_grad(), room_for_polytopes():
        cutting = Cutting(program, mesh, where, max_polytopes, until_layer, with_outputs=wanted)
        if each_layer:
            cutting.after_bend = lambda: by_layer.append(_so_far(mesh, cutting, where, source))
        cutting.run_to_last_bend()
        source = Network(program, cutting.outputs()) if wanted else source
    if by_layer:
        return by_layer
    whole = _so_far(mesh, cutting, where, source)
    return [whole] if each_layer else whole


def _so_far(mesh: Mesh, cutting: Cutting, plane: Plane, source: Network) -> Partition:
    """What has been cut; a cut makes new arrays, so these stay as they are."""
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
        tuple(cutting.program.lowered.bends.values())[: len(cutting.sizes)],
        mesh.num_given_up,
        plane,
        source,
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
