"""Answers to questions about the network on a subdivision's faces: by the network, or by a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bitfold.errors import PolytopeError
from bitfold.polytopes.activation_patterns import maps_at, outputs_at, patterns_at, patterns_of
from bitfold.polytopes.lowering.program import Program
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.subdivision.subdivision import Subdivision

Doubles = NDArray[np.float64]
Words = NDArray[np.uint64]
FaceIndex = NDArray[np.int64] | slice
ALL_FACES = slice(None)


class Backend(ABC):
    """Activation patterns, affine maps and outputs of a network on the faces of a subdivision.

    Attributes:
        subdivision: the faces.
        is_whole: whether the subdivision has the folds of all layers. If not, the network is not
            affine on each face.
    """

    subdivision: Subdivision
    is_whole: bool

    @property
    @abstractmethod
    def num_layers(self) -> int:
        """The number of operations that bend in the whole network."""

    @abstractmethod
    def patterns_on(self, faces: FaceIndex) -> Words:
        """The activation patterns on some faces, uint64 (F, words)."""

    @abstractmethod
    def patterns_of_inputs(self, inputs: Tensor) -> Words:
        """The activation patterns of inputs (N, ...), on the plane or not: uint64 (N, words)."""

    @abstractmethod
    def maps_on(self, faces: FaceIndex) -> Doubles:
        """The affine maps at the centroids of some faces, float64 (F, outputs, 3)."""

    @abstractmethod
    def outputs_at(self, points: Doubles) -> Doubles:
        """The outputs at points (N, 2) of the plane, float64 (N, outputs)."""

    @property
    @abstractmethod
    def vertex_outputs(self) -> Doubles:
        """The outputs at the vertices, float64 (V, outputs)."""

    @cached_property
    def patterns(self) -> Words:
        """The activation patterns on all faces, uint64 (F, words)."""
        return self.patterns_on(ALL_FACES)

    def slopes(self) -> Doubles:
        """The slope of each face's affine map, float64 (F,).

        The slope is the Frobenius norm of the map's gradient (outputs x 2): outputs per unit of the
        plane's coordinates.
        """
        return np.asarray(np.sqrt((self.maps_on(ALL_FACES)[:, :, :2] ** 2).sum((1, 2))))


@dataclass(frozen=True, eq=False)
class NetworkBackend(Backend):
    """Evaluates the network, with the weights that it had when it was partitioned.

    Args:
        subdivision: the faces.
        is_whole: see `Backend`.
        program: the network.
        plane: where the subdivision lies among the network's inputs.
        known_outputs: the outputs at the vertices, if the search for polytopes computed them.
    """

    subdivision: Subdivision
    is_whole: bool
    program: Program
    plane: Plane
    known_outputs: Doubles | None = None

    @property
    def num_layers(self) -> int:
        """See `Backend`."""
        return len(self.program.lowered.bends)

    def patterns_on(self, faces: FaceIndex) -> Words:
        """See `Backend`."""
        return patterns_at(self.program, self.plane, self.subdivision.centroids[faces])

    def patterns_of_inputs(self, inputs: Tensor) -> Words:
        """See `Backend`."""
        return patterns_of(self.program, inputs)

    def maps_on(self, faces: FaceIndex) -> Doubles:
        """See `Backend`."""
        return maps_at(self.program, self.plane, self.subdivision.centroids[faces])

    def outputs_at(self, points: Doubles) -> Doubles:
        """See `Backend`; points may lie outside the domain."""
        return outputs_at(self.program, self.plane, points)

    @property
    def vertex_outputs(self) -> Doubles:
        """See `Backend`."""
        return self._vertex_outputs if self.known_outputs is None else self.known_outputs

    @cached_property
    def _vertex_outputs(self) -> Doubles:
        return self.outputs_at(self.subdivision.vertices)


@dataclass(frozen=True, eq=False)
class FileBackend(Backend):
    """Answers from the arrays of a file, without the network.

    Args:
        subdivision: the faces.
        is_whole: see `Backend`.
        layers_in_all: the number of operations that bend in the whole network.
        stored_patterns: uint64 (F, words), the activation patterns.
        stored_maps: float64 (F, outputs, 3), the affine maps.
        stored_outputs: float64 (V, outputs), the outputs at the vertices.
    """

    subdivision: Subdivision
    is_whole: bool
    layers_in_all: int
    stored_patterns: Words
    stored_maps: Doubles
    stored_outputs: Doubles

    @property
    def num_layers(self) -> int:
        """See `Backend`."""
        return self.layers_in_all

    def patterns_on(self, faces: FaceIndex) -> Words:
        """See `Backend`."""
        return self.stored_patterns[faces]

    def patterns_of_inputs(self, inputs: Tensor) -> Words:
        """See `Backend`.

        Raises:
            PolytopeError: always, since the file does not contain the network.
        """
        raise PolytopeError(
            "Cannot find patterns of inputs: expected a partition with its network, got one from "
            f"a file and {len(inputs)} inputs. Partition the network again."
        )

    def maps_on(self, faces: FaceIndex) -> Doubles:
        """See `Backend`."""
        return self.stored_maps[faces]

    @property
    def vertex_outputs(self) -> Doubles:
        """See `Backend`."""
        return self.stored_outputs

    def outputs_at(self, points: Doubles) -> Doubles:
        """See `Backend`: applies the affine map of the face that contains each point.

        Raises:
            PolytopeError: a point lies outside the domain, or later layers' folds are missing.
        """
        if not self.is_whole:
            raise PolytopeError(
                "Cannot evaluate a loaded partition: expected the folds of all "
                f"{self.num_layers} layers, got fewer. Save the partition of all layers."
            )
        faces = self.subdivision.locate(points)
        outside = np.flatnonzero(faces < 0)
        if len(outside):
            raise PolytopeError(
                "Cannot evaluate a loaded partition: expected points within its domain, got "
                f"{len(outside)} outside, first {points[outside[0]].tolist()}. Evaluate the "
                "network there."
            )
        maps = self.stored_maps[faces]
        found: Doubles = maps[..., 0] * points[:, :1] + maps[..., 1] * points[:, 1:]
        found += maps[..., 2]
        return found
