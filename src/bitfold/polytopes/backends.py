"""Where a partition's patterns, maps and outputs come from: its network, or a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bitfold.errors import PolytopeError
from bitfold.polytopes.activation_patterns import maps_at, outputs_at, patterns_at, patterns_of
from bitfold.polytopes.lowering.program import Program

if TYPE_CHECKING:
    from bitfold.polytopes.partition import Partition

Doubles = NDArray[np.float64]
Words = NDArray[np.uint64]
Faces = NDArray[np.int64] | slice
ALL_FACES = slice(None)


class Source(ABC):
    """What can be asked of a partition's network."""

    @property
    @abstractmethod
    def num_layers(self) -> int:
        """How many operations bend in the whole network."""

    @abstractmethod
    def patterns(self, found: Partition, faces: Faces = ALL_FACES) -> Words:
        """Activation patterns of some faces, uint64 (F, words)."""

    @abstractmethod
    def patterns_of_inputs(self, inputs: Tensor) -> Words:
        """Activation patterns of inputs (N, ...), wherever they lie, uint64 (N, words)."""

    @abstractmethod
    def maps(self, found: Partition, faces: Faces = ALL_FACES) -> Doubles:
        """Affine maps at the centroids of some faces, float64 (F, outputs, 3)."""

    @abstractmethod
    def vertex_outputs(self, found: Partition) -> Doubles:
        """Outputs at the vertices, float64 (V, outputs)."""

    @abstractmethod
    def outputs(self, found: Partition, points: Doubles) -> Doubles:
        """Outputs at points (N, 2), float64 (N, outputs)."""


@dataclass(frozen=True, eq=False)
class Network(Source):
    """The network as it was.

    Args:
        program: it.
        known: outputs at the vertices, if they are known already.
    """

    program: Program
    known: Doubles | None = None

    @property
    def num_layers(self) -> int:
        """See `Source`."""
        return len(self.program.lowered.bends)

    def patterns(self, found: Partition, faces: Faces = ALL_FACES) -> Words:
        """See `Source`."""
        return patterns_at(self.program, found.plane, found.centroids[faces])

    def patterns_of_inputs(self, inputs: Tensor) -> Words:
        """See `Source`."""
        return patterns_of(self.program, inputs)

    def maps(self, found: Partition, faces: Faces = ALL_FACES) -> Doubles:
        """See `Source`."""
        return maps_at(self.program, found.plane, found.centroids[faces])

    def vertex_outputs(self, found: Partition) -> Doubles:
        """See `Source`."""
        if self.known is not None:
            return self.known
        return outputs_at(self.program, found.plane, found.vertices)

    def outputs(self, found: Partition, points: Doubles) -> Doubles:
        """See `Source`; also outside the domain."""
        return outputs_at(self.program, found.plane, points)


@dataclass(frozen=True, eq=False)
class Stored(Source):
    """What a file holds of a network.

    Args:
        in_all: how many operations bend in the whole network.
        arrays: ``patterns``, ``maps`` and ``outputs``, the last ones at the vertices.
    """

    in_all: int
    arrays: dict[str, NDArray[Any]]

    @property
    def num_layers(self) -> int:
        """See `Source`."""
        return self.in_all

    def patterns(self, found: Partition, faces: Faces = ALL_FACES) -> Words:
        """See `Source`."""
        del found
        return self.arrays["patterns"][faces]

    def patterns_of_inputs(self, inputs: Tensor) -> Words:
        """See `Source`.

        Raises:
            PolytopeError: always.
        """
        raise PolytopeError(
            "Cannot find patterns of inputs: expected a partition with its network, got one from "
            f"a file and {len(inputs)} inputs. Find the partition anew."
        )

    def maps(self, found: Partition, faces: Faces = ALL_FACES) -> Doubles:
        """See `Source`."""
        del found
        return self.arrays["maps"][faces]

    def vertex_outputs(self, found: Partition) -> Doubles:
        """See `Source`."""
        del found
        return self.arrays["outputs"]

    def outputs(self, found: Partition, points: Doubles) -> Doubles:
        """See `Source`: each point by the map of its face.

        Raises:
            PolytopeError: a point is outside, or the partition stops before the last layer.
        """
        if not found.is_whole:
            raise PolytopeError(
                "Cannot evaluate a partition that was loaded: expected one of all "
                f"{self.num_layers} layers, got one of {len(found.layers)}. Save the whole one."
            )
        faces = found.locate(points)
        outside = np.flatnonzero(faces < 0)
        if len(outside):
            raise PolytopeError(
                "Cannot evaluate a partition that was loaded: expected points within it, got "
                f"{len(outside)} outside, first {points[outside[0]].tolist()}. Evaluate the "
                "network there."
            )
        return apply_maps(self.arrays["maps"], faces, points)


def apply_maps(maps: Doubles, faces: NDArray[np.int64], points: Doubles) -> Doubles:
    """Outputs (N, outputs) at points (N, 2) by the maps (F, outputs, 3) of their faces (N,)."""
    chosen = maps[faces]
    found: Doubles = chosen[..., 0] * points[:, :1] + chosen[..., 1] * points[:, 1:]
    found += chosen[..., 2]
    return found
