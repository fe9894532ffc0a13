"""The polytopes of a network on a polygon of a plane: geometry and network together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import PolytopeError
from bitfold.polytopes.backends import ALL_FACES, Backend
from bitfold.polytopes.drawing.filling import FaceColouring, check_colouring, fill
from bitfold.polytopes.drawing.plotting import (
    plot_boundary,
    plot_filling,
    plot_folds,
    show_as_picture,
)
from bitfold.polytopes.drawing.shown_picture import GREY_LEVEL, ShownPicture
from bitfold.polytopes.encoding_layers import EncodingFolds, layer_shares
from bitfold.polytopes.files.partition_file import PartitionContent, write_partition
from bitfold.polytopes.lowering.lowered import Bend
from bitfold.polytopes.network_checks import check_network
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.subdivision.checks import check_geometry, fail
from bitfold.polytopes.subdivision.fold_lines import fold_lines
from bitfold.polytopes.subdivision.level_sets import boundary_lines, level_lines
from bitfold.polytopes.subdivision.subdivision import Subdivision
from bitfold.runtime.display.figure_picture import new_figure
from bitfold.runtime.display.html_tables import html_facts

_FIGURE_INCHES = 5.0  # sides of a figure that `Partition.plot` makes
Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Partition:
    """The polytopes of a network on a convex polygon of a plane; see `partition`.

    Nothing changes its arrays once it exists.

    Args:
        subdivision: the geometry; owners of edges are neurons, numbered through all layers.
        layer_sizes: the number of neurons in each layer, in the order of evaluation. In max-pooling
            each element of each window is a neuron, active where it wins.
        layers: the operation that bends in each layer.
        num_given_up: the number of folds that end inside a face because the face is so thin that
            rounding hides how they continue.
        plane: where the polygon lies among the network's inputs.
        backend: answers for patterns, maps and outputs: the network, or a file.
        picture: how the network's outputs are shown as a picture; None for other networks.
        num_encoding_layers: how many of the first layers are folds of the network's encoding, such
            as triangle waves, whatever it has learned.
    """

    subdivision: Subdivision
    layer_sizes: tuple[int, ...]
    layers: tuple[Bend, ...]
    num_given_up: int
    plane: Plane = field(repr=False)
    backend: Backend = field(repr=False)
    picture: ShownPicture | None = field(default=None, repr=False)
    num_encoding_layers: int = 0

    @property
    def vertices(self) -> Doubles:
        """The vertices in coordinates of the plane, float64 (V, 2)."""
        return self.subdivision.vertices

    @property
    def edges(self) -> Ints:
        """The two vertices of each edge, int32 (E, 2); no two edges join the same vertices."""
        return self.subdivision.edges

    @property
    def faces(self) -> tuple[Ints, Ints]:
        """The faces as offsets (F + 1,) and vertices, counter-clockwise."""
        return self.face_offsets, self.face_vertices

    @property
    def face_offsets(self) -> Ints:
        """Where each face begins in ``face_vertices``, int32 (F + 1,)."""
        return self.subdivision.face_offsets

    @property
    def face_vertices(self) -> Ints:
        """The vertices around each face, int32, counter-clockwise."""
        return self.subdivision.face_vertices

    @property
    def face_edges(self) -> Ints:
        """For each entry of ``face_vertices`` the edge to the next vertex, int32."""
        return self.subdivision.face_edges

    @property
    def face_neighbours(self) -> Ints:
        """For each entry of ``face_edges`` the face on its other side; -1 outside the domain."""
        return self.subdivision.face_neighbours

    @property
    def neighbours(self) -> Ints:
        """The faces left and right of each edge, int32 (E, 2); -1 outside the domain."""
        return self.subdivision.neighbours

    @property
    def owner_offsets(self) -> Ints:
        """Where the owners of each edge begin in ``owners``, int32 (E + 1,)."""
        return self.subdivision.owner_offsets

    @property
    def owners(self) -> Ints:
        """The neurons that fold along each edge, int32; an edge on the border has none."""
        return self.subdivision.owners

    @cached_property
    def owner_layers(self) -> Ints:
        """The layer of each entry of ``owners``, int32."""
        starts = np.cumsum([0, *self.layer_sizes])
        return (np.searchsorted(starts, self.owners, side="right") - 1).astype(np.int32)

    @property
    def num_polytopes(self) -> int:
        """The number of polytopes."""
        return self.subdivision.num_faces

    @property
    def num_neurons(self) -> int:
        """The number of neurons in all layers. A neuron with two thresholds counts twice."""
        return sum(self.layer_sizes)

    @property
    def is_whole(self) -> bool:
        """Whether all layers' folds are there; if not, the network is not affine on each face."""
        return self.backend.is_whole

    @property
    def source(self) -> Backend:
        """The former name of `backend`."""
        return self.backend

    @property
    def areas(self) -> Doubles:
        """The areas of the faces in coordinates of the plane, float64 (F,)."""
        return self.subdivision.areas

    @property
    def centroids(self) -> Doubles:
        """A point inside each face, the mean of its vertices: float64 (F, 2)."""
        return self.subdivision.centroids

    @property
    def patterns(self) -> NDArray[np.uint64]:
        """Activation patterns, uint64 (F, words): neuron k is bit k % 64 of word k // 64."""
        return self.backend.patterns

    def affine_maps(self) -> Doubles:
        """The affine map on each face, float64 (F, outputs, 3): its factors of s, t and 1."""
        return self.backend.maps_on(ALL_FACES)

    def evaluate(self, points: Any) -> Doubles:
        """The network's outputs at points (N, 2) of the plane: float64 (N, outputs).

        Raises:
            PolytopeError: the partition comes from a file, and a point lies outside its domain.
        """
        return self.backend.outputs_at(_points(points))

    @property
    def vertex_outputs(self) -> Doubles:
        """The network's outputs at the vertices: float64 (V, outputs)."""
        return self.backend.vertex_outputs

    def locate(self, points: Any) -> NDArray[np.int64]:
        """The face of each point (N, 2); -1 outside. A point on a fold gets a face beside it."""
        return self.subdivision.locate(_points(points))

    def fold_lines(self) -> list[list[Doubles]]:
        """The folds of each layer as polylines (n, 2), each along one neuron.

        Where folds coincide, only the fold of the earliest layer is included. Points in the middle
        of a straight line are left out.
        """
        return fold_lines(self.subdivision, self.layer_sizes)

    def level_set(self, output: int = 0, value: float = 0.0) -> list[Doubles]:
        """Where an output has a value: polylines (n, 2). A closed line ends at its first point."""
        values = self.vertex_outputs
        if not 0 <= output < values.shape[1]:
            raise PolytopeError(
                f"Cannot draw a level set: expected an output of 0 to {values.shape[1] - 1}, got "
                f"{output}. Choose one of these."
            )
        return level_lines(self.subdivision, values[:, output] - value)

    def decision_boundary(self) -> list[Doubles]:
        """Where another output becomes the largest, or a single output is 0: polylines (n, 2).

        A single output that shows a grey picture decides at 1/2, between black and white.
        """
        values = self.vertex_outputs
        if values.shape[1] == 1:
            is_grey = self.picture is not None and not self.picture.has_classes
            return level_lines(self.subdivision, values[:, 0] - (GREY_LEVEL if is_grey else 0.0))
        return boundary_lines(self.subdivision, values)

    def _repr_html_(self) -> str:
        low, high = self.vertices.min(0), self.vertices.max(0)
        facts = {
            "polytopes": f"{self.num_polytopes:,}" + ("" if self.is_whole else ", of some layers"),
            "vertices, edges": f"{len(self.vertices):,}, {len(self.edges):,}",
            "neurons": f"{self.num_neurons:,} in {len(self.layer_sizes)} layers",
            "domain": f"({low[0]:g}, {low[1]:g}) to ({high[0]:g}, {high[1]:g})",
            "folds given up": self.num_given_up or None,
        }
        return html_facts("Partition", facts)

    def __repr__(self) -> str:
        neurons = f"{self.num_neurons:,} neurons in {len(self.layer_sizes)} layers"
        return f"Partition({self.num_polytopes:,} polytopes of {neurons})"

    def plot(
        self,
        axes: Any = None,
        *,
        faces: FaceColouring | None = None,
        output: int = 0,
        line_width: float = 0.6,
        boundary: bool | None = None,
        longer_px: int = 1024,
        encoding_folds: EncodingFolds = "faint",
    ) -> Any:
        """Draw folds, coloured by layer, and the decision boundary on matplotlib's axes.

        Folds and boundary are vector graphics, and the filling of the faces is a picture. SVG gets
        groups: ``faces``, ``layer-1`` and so on, ``boundary``.

        The network of a run is drawn as its frames are: y downwards, with the picture's aspect.

        Args:
            axes: of matplotlib; by default those of a new figure.
            faces: the filling: the ``"value"`` of one output; the logarithm of the ``"area"``; the
                ``"slope"``, which is the Frobenius norm of the gradient of all outputs;
                ``"identity"``, a colour for each activation pattern; ``"none"``; or a function from
                outputs (N, outputs) to colours (N, 3), 0 to 1. None: the picture that the network
                of a run shows, and ``"value"`` for other networks.
            output: the output that ``"value"`` shows.
            line_width: of folds, in points.
            boundary: whether to draw the decision boundary; None: unless the outputs of a run's
                network are grey or RGB.
            longer_px: pixels of the longer side of the filling.
            encoding_folds: folds of the network's encoding: ``"plain"`` as all others, ``"faint"``,
                or ``"none"``, which leaves them out.

        Returns:
            With axes, the filling as matplotlib's image, for a colour bar; None for ``"none"``.
            Without axes, the figure: a notebook shows it, and its ``save(path)`` writes it.

        Raises:
            PolytopeError: there is no such filling, no such output, or no such way to draw the
                folds of the encoding.
        """
        shown = self.picture
        if faces is None:
            faces = "value" if shown is None else shown.colours
        if boundary is None:
            boundary = shown is None or shown.has_classes
        check_colouring(faces)
        if axes is None:
            picture = new_figure(_FIGURE_INCHES, _FIGURE_INCHES)
            self.plot(
                picture.axes,
                faces=faces,
                output=output,
                line_width=line_width,
                boundary=boundary,
                longer_px=longer_px,
                encoding_folds=encoding_folds,
            )
            return picture
        filling = None if faces == "none" else fill(self.backend, faces, output, longer_px)
        image = plot_filling(axes, self.subdivision, filling)
        names = list(map(str, self.layers))
        shares = layer_shares(len(names), self.num_encoding_layers, encoding_folds)
        plot_folds(axes, self.fold_lines(), names, line_width, shares)
        if boundary:
            plot_boundary(axes, self.decision_boundary(), line_width)
        if shown is not None:
            show_as_picture(axes, shown.aspect)
        return image

    def check(self) -> None:
        """Verify the partition against itself and the network.

        Raises:
            PolytopeError: V - E + F is not 1, areas do not add up, a face is not convex, a fold was
                given up, patterns of neighbours do not differ by their edge's owners, or a map does
                not give the network's outputs. The error names the place.
        """
        check_geometry(self.subdivision)
        if self.num_given_up:
            fail(f"every fold to continue to the border, got {self.num_given_up} that do not")
        check_network(self.backend)

    def save(self, path: str | Path) -> None:
        """Write everything except the network itself to a file, which NumPy can read too.

        Args:
            path: of the file, by convention ending in ``.npz``; an existing file is replaced once
                the new one is complete. docs/partition-files.md describes the format, and
                `load_partition` reads it.

        Raises:
            PolytopeError: the file cannot be written.
        """
        content = PartitionContent(
            self.subdivision,
            self.plane,
            self.layers,
            self.layer_sizes,
            self.backend.num_layers,
            self.num_given_up,
            self.patterns,
            self.affine_maps(),
            self.vertex_outputs,
            self.num_encoding_layers,
        )
        write_partition(Path(path), content)


def _points(points: Any) -> Doubles:
    found = np.array(points, np.float64)
    if found.ndim != 2 or found.shape[1] != 2 or not np.isfinite(found).all():
        raise PolytopeError(
            f"Cannot use points: expected an array (N, 2) of finite numbers, got shape "
            f"{found.shape}. Give coordinates of the plane."
        )
    return found
