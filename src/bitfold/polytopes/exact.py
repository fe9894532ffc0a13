"""The exact engine: a program run at the vertices of a mesh that is cut wherever it bends."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.polytopes.bounds import Bounded
from bitfold.polytopes.mesh import Mesh
from bitfold.polytopes.pieces import RELU, Pieces
from bitfold.polytopes.pooling import WinnerCut
from bitfold.polytopes.program import Program
from bitfold.polytopes.tracing import Operation


class Cutting(Bounded):
    """Runs a program at the vertices of a mesh; before it bends, the mesh is cut where it does.

    Values at new vertices are interpolated: a value is affine along whatever they lie on.

    Source: none, ours.

    Args:
        program: what to run.
        mesh: cut along the folds.
        inputs: float64 (vertices, ...), the input at each vertex.
        max_faces: of which there may be no more.
        num_bends: how many operations may bend; None: all.

    Attributes:
        sizes: by bend how many neurons it has; one with two thresholds counts twice.
    """

    def __init__(
        self,
        program: Program,
        mesh: Mesh,
        inputs: Tensor,
        max_faces: int,
        num_bends: int | None = None,
    ) -> None:
        super().__init__(program, inputs)
        self._mesh, self._max_faces = mesh, max_faces
        self.sizes: list[int] = []
        operations = enumerate(program.lowered.operations)
        bends = [k for k, one in operations if one.is_derived and one.is_bend][:num_bends]
        self._last_bend = bends[-1] if bends else -1

    def run_to_last_bend(self) -> None:
        """Cut the mesh along all folds; what comes after the last one is not worked out."""
        lowered = self.program.lowered
        for number, operation in enumerate(lowered.operations[: self._last_bend + 1]):
            if operation.is_derived:
                self.follow(number, operation)
                for index in lowered.forgotten[number]:
                    self.forget(index)

    def follow(self, number: int, operation: Operation) -> None:
        """Perform one operation, and bound its errors."""
        self._number = number
        super().follow(number, operation)

    def bend(self, source: int, pieces: Pieces) -> Tensor:
        """Cut the mesh where a result meets a threshold, and bend it."""
        is_last = self._number == self._last_bend
        first = sum(self.sizes)
        self.sizes.append(0)
        for number, threshold in enumerate(pieces.thresholds, 1):
            values = self.values[source]
            flat = values.reshape(len(values), -1)
            flat = flat - threshold if threshold else flat
            slack = self.slack(source, threshold).numpy()
            ends, along = self._mesh.cut(
                np.ascontiguousarray(flat.numpy()), slack, first, self._max_faces
            )
            first += flat.shape[1]
            self.sizes[-1] += flat.shape[1]
            if not is_last or number < len(pieces.thresholds):
                self._extend(ends, along)
        whole: Tensor = self.values[source]
        if is_last:
            return whole  # nothing looks at it
        if pieces is RELU and self.program.lowered.last_uses.get(source) == self._number:
            return whole.clamp_(min=0)
        return super().bend(source, pieces)

    def choose(self, source: int, operation: Operation) -> Any:
        """Cut the mesh where another element is the largest, and hand that on."""
        choice, slack = self.choice(operation)
        first = sum(self.sizes)
        self.sizes.append(choice.num_neurons)

        def extend(ends: NDArray[np.int32], along: NDArray[np.float64]) -> Tensor:
            self._extend(ends, along)
            return self.values[source]

        winners = WinnerCut(self._mesh, choice, slack, first, self._max_faces)
        kept = torch.from_numpy(winners.cut(self.values[source], extend))
        if not kept.all():
            self.values = {
                index: value[kept] if isinstance(value, Tensor) else value
                for index, value in self.values.items()
            }
        return super().choose(source, operation)

    def _extend(self, ends: NDArray[np.int32], along: NDArray[np.float64]) -> None:
        from bitfold.polytopes.cut_edges import extend_rows  # noqa: PLC0415 - imports Numba

        for index, value in self.values.items():
            if not isinstance(value, Tensor) or not value.is_floating_point():
                continue
            num_old = len(value)
            whole = torch.empty((num_old + len(along), *value.shape[1:]), dtype=torch.float64)
            whole[:num_old] = value
            extend_rows(whole.reshape(len(whole), -1).numpy(), ends, along, num_old)
            self.values[index] = whole
