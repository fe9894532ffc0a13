"""The exact engine: a program run at the vertices of a mesh that is cut wherever it bends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import leaky_relu
from torch.utils._pytree import tree_map

from bitfold.polytopes.cutting.first_compile import announce_first_compile
from bitfold.polytopes.cutting.mesh import Mesh
from bitfold.polytopes.cutting.pooling import WinnerCut
from bitfold.polytopes.cutting.search_watch import SearchWatch
from bitfold.polytopes.lowering.bounds import Bounded
from bitfold.polytopes.lowering.dense_layers import find_dense_layers
from bitfold.polytopes.lowering.program import Program
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.tracing.operation import Operation
from bitfold.polytopes.tracing.pieces import Pieces

# The number of polytopes from which several threads pay, so that layers are cut one by one.
_ENOUGH_FACES = 2**14


class _Threads:
    """Keeps PyTorch to one thread while there are few faces.

    PyTorch's other threads go on spinning after each operation, while faces are cut. On two cores
    that share one unit, [64]*4 took twice as long with them.
    """

    def __enter__(self) -> Self:
        self._usual = self._now = torch.get_num_threads()
        return self

    def use_for(self, num_faces: int) -> None:
        """Set the number of threads for a number of faces."""
        wanted = 1 if num_faces < _ENOUGH_FACES else self._usual
        if wanted != self._now:
            torch.set_num_threads(wanted)
            self._now = wanted

    def __exit__(self, *exception: object) -> None:
        if self._now != self._usual:
            torch.set_num_threads(self._usual)


class Cutting(Bounded):
    """Runs a program at the vertices of a mesh, and cuts the mesh before each bend.

    Values at new vertices are interpolated, as they are affine along the segment of each vertex.

    Args:
        program: what to run.
        mesh: changed: cut along the folds.
        plane: where the mesh lies among the inputs.
        max_faces: the largest number of faces.
        num_bends: how many of the operations that bend are cut; None for all.
        with_outputs: whether `outputs` will be called.

    Attributes:
        sizes: the number of neurons of each bend. A neuron with two thresholds counts twice.
        after_bend: called after the mesh has been cut for an operation that bends; or None.
        watch: is told of each operation, and may end the search; or None.
    """

    def __init__(
        self,
        program: Program,
        mesh: Mesh,
        plane: Plane,
        max_faces: int,
        num_bends: int | None = None,
        *,
        with_outputs: bool = False,
    ) -> None:
        super().__init__(program, plane.inputs(mesh.points), plane.sizes(mesh.points))
        self._mesh, self._max_faces = mesh, max_faces
        self.sizes: list[int] = []
        self.after_bend: Callable[[], None] | None = None
        self.watch: SearchWatch | None = None
        bends = list(program.lowered.bends)[:num_bends]
        self._last_bend = bends[-1] if bends else -1
        self._with_outputs = with_outputs
        num_all = len(program.lowered.operations)
        self._num_operations = num_all if with_outputs else self._last_bend + 1

    def run_to_last_bend(self) -> None:
        """Cut the mesh along all folds, and run the program up to the last of them."""
        announce_first_compile()
        first = 0 if self.after_bend else self._cut_dense_layers()
        self._run_on(first, self._last_bend + 1)

    def outputs(self) -> NDArray[np.float64]:
        """Run the program to its end; return the outputs (vertices, outputs)."""
        lowered = self.program.lowered
        self._run_on(self._last_bend + 1, len(lowered.operations))
        output: Tensor = self.values[lowered.output]
        return output.reshape(len(output), -1).numpy()

    def _run_on(self, first: int, stop: int) -> None:
        lowered = self.program.lowered
        with _Threads() as threads:
            for number in range(first, stop):
                operation = lowered.operations[number]
                if operation.is_derived:
                    threads.use_for(self._mesh.num_faces)
                    self.follow(number, operation)
                    for index in lowered.forgotten[number]:
                        self.forget(index)
                if self.watch is not None:
                    self.watch.has_done(number + 1, self._num_operations, self._mesh.num_faces)

    def _cut_dense_layers(self) -> int:
        """Cut along the folds of the first dense layers; return the operation to go on with."""
        layers = find_dense_layers(self.program.lowered).until(self._last_bend + 1)
        if not layers.results:
            return 0
        from bitfold.polytopes.cutting.loops.dense import cut_dense_layers  # noqa: PLC0415 - imports Numba

        mesh = self._mesh
        rows = self._bounds.rows[0].numpy()
        given = (mesh.points, self.values[0].numpy(), rows, mesh.edges, mesh.owners, mesh.faces)
        is_end = layers.results[-1] == self._last_bend + 1 and not self._with_outputs
        limits = (_ENOUGH_FACES, self._max_faces, len(layers.results) - 1 if is_end else -1)
        done, points, edges, owners, faces, values, rows, given_up = cut_dense_layers(
            self.program.flat.numpy(), layers.table, layers.slopes, *given, limits
        )
        if done == 0:
            return 0
        mesh.points, mesh.edges, mesh.owners, mesh.faces = points, edges, owners, faces
        mesh.num_given_up += given_up
        self.sizes += layers.table[:done, 3].tolist()
        result: int = layers.results[done - 1]
        self.values = {result: torch.from_numpy(values)}
        self._bounds.rows = {result: torch.from_numpy(rows)}
        return result

    def follow(self, number: int, operation: Operation) -> None:
        """Perform one operation, and bound its errors."""
        self._number = number
        super().follow(number, operation)

    def bend(self, source: int, pieces: Pieces) -> Tensor:
        """Cut the mesh where a result meets a threshold, and bend the result."""
        is_last = self._number == self._last_bend and not self._with_outputs
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
        self._has_bent()
        whole: Tensor = self.values[source]
        if is_last:
            return whole  # not used
        leak, is_last_use = pieces.leak, self.program.lowered.last_uses.get(source) == self._number
        if leak is not None and is_last_use:
            return leaky_relu(whole, leak, inplace=True)
        return super().bend(source, pieces)

    def choose(self, source: int, operation: Operation) -> Any:
        """Cut the mesh where another element becomes the largest, and hand the largest on."""
        choice, slack = self.choice(operation)
        first = sum(self.sizes)
        self.sizes.append(choice.num_neurons)

        def extend(ends: NDArray[np.int32], along: NDArray[np.float64]) -> Tensor:
            self._extend(ends, along)
            extended: Tensor = self.values[source]
            return extended

        winners = WinnerCut(self._mesh, choice, slack, first, self._max_faces)
        kept = torch.from_numpy(np.flatnonzero(winners.cut(self.values[source], extend)))
        chosen = super().choose(source, operation)
        if self.program.lowered.last_uses.get(source) == self._number:
            self.values[source] = None  # this frees as much memory as all windows take
        self.values = {index: _rows(value, kept) for index, value in self.values.items()}
        self._has_bent()
        return tree_map(lambda value: _rows(value, kept), chosen)

    def _has_bent(self) -> None:
        if self.after_bend:
            self.after_bend()

    def _extend(self, ends: NDArray[np.int32], along: NDArray[np.float64]) -> None:
        from bitfold.polytopes.cutting.loops.edges import extend_rows  # noqa: PLC0415 - imports Numba

        for index, value in self.values.items():
            if not isinstance(value, Tensor) or not value.is_floating_point():
                continue
            num_old = len(value)
            whole = torch.empty(
                (num_old + len(along), *value.shape[1:]), dtype=torch.float64, device="cpu"
            )
            whole[:num_old] = value
            extend_rows(whole.reshape(len(whole), -1).numpy(), ends, along, num_old)
            self.values[index] = whole


def _rows(value: Any, kept: Tensor) -> Any:
    """Return the rows of some vertices."""
    if isinstance(value, Tensor) and value.is_floating_point() and len(kept) < len(value):
        return value.index_select(0, kept)
    return value
