"""Activation patterns, affine maps and outputs of a program."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.polytopes.lowering.bounds import Bounded
from bitfold.polytopes.lowering.choices import choice_of
from bitfold.polytopes.lowering.program import Execution, Program, bent
from bitfold.polytopes.plane import Plane
from bitfold.polytopes.sampling.pattern_recorder import pack_signs
from bitfold.polytopes.tracing.operation import Operation
from bitfold.polytopes.tracing.pieces import Pieces

#: The number of inputs that are run at a time. The values of one layer then stay in a core's
#: second-level cache for layers of up to some hundred neurons.
CHUNK_INPUTS = 1024
# The limit on the numbers in a chunk, which has fewer inputs if they are large.
_CHUNK_NUMEL = 2**22
_RIGHT, _UP = np.array([1.0, 0.0]), np.array([0.0, 1.0])


class _Recording(Bounded):
    """Records which values are above their thresholds by more than their rounding errors."""

    def __init__(self, program: Program, inputs: Tensor, sizes: Tensor) -> None:
        super().__init__(program, inputs, sizes)
        self.signs: list[Tensor] = []

    def bend(self, source: int, pieces: Pieces) -> Tensor:
        values = self.values[source]
        flat = values.reshape(len(values), -1)
        for threshold in pieces.thresholds:
            self.signs.append(flat - threshold > self.slack(source, threshold))
        return super().bend(source, pieces)

    def choose(self, source: int, operation: Operation) -> Any:
        choice, slack = self.choice(operation)
        self.signs.append(choice.activations(self.values[source], slack))
        return super().choose(source, operation)


class _Freezing(Execution):
    """Runs three inputs of each face, all on the linear pieces of the first input."""

    def choose(self, source: int, operation: Operation) -> Any:
        values = self.values[source]
        choice = choice_of(operation, values.shape[1:])
        winners = choice.winners(values[: len(values) // 3])
        return choice.result(choice.pick(values, winners.repeat(3, 1)))

    def bend(self, source: int, pieces: Pieces) -> Tensor:
        values = self.values[source]
        count = len(values) // 3
        first = values[:count]
        return bent(values, pieces, torch.cat([first, first, first]))


def outputs_at(program: Program, plane: Plane, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The program's outputs at points (N, 2) of a plane: float64 (N, outputs)."""
    with torch.no_grad():
        found = [Execution(program, plane.inputs(some)).run() for some in _chunks(plane, points)]
    return torch.cat(found).numpy()


def patterns_at(program: Program, plane: Plane, points: NDArray[np.float64]) -> NDArray[np.uint64]:
    """The activation patterns at points (N, 2) of a plane: uint64 (N, words), a bit per neuron."""
    chunks = _chunks(plane, points)
    return np.concatenate([_patterns(program, plane.inputs(c), plane.sizes(c)) for c in chunks])


def patterns_of(program: Program, inputs: Tensor) -> NDArray[np.uint64]:
    """The activation patterns of inputs, float64 (N, ...): uint64 (N, words)."""
    starts = range(0, max(1, len(inputs)), CHUNK_INPUTS)
    chunks = [inputs[start : start + CHUNK_INPUTS] for start in starts]
    sizes = inputs.abs().amax(0) if len(inputs) else inputs.sum(0)
    return np.concatenate([_patterns(program, some, sizes) for some in chunks])


def _patterns(program: Program, inputs: Tensor, sizes: Tensor) -> NDArray[np.uint64]:
    with torch.no_grad():
        recording = _Recording(program, inputs, sizes)
        recording.run()
        signs = recording.signs or [torch.zeros((len(inputs), 0), dtype=torch.bool, device="cpu")]
        return np.ascontiguousarray(pack_signs(torch.cat(signs, dim=1)).T)


def maps_at(program: Program, plane: Plane, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine maps around points (N, 2): float64 (N, outputs, 3), the factors of s, t and 1."""
    found = []
    with torch.no_grad():
        for some in _chunks(plane, points):
            corners = np.concatenate([some, some + _RIGHT, some + _UP])
            value, right, up = _Freezing(program, plane.inputs(corners)).run().chunk(3)
            by_s, by_t = right - value, up - value
            at = torch.from_numpy(np.array(some))
            constant = value - by_s * at[:, :1] - by_t * at[:, 1:]
            found.append(torch.stack([by_s, by_t, constant], 2))
    return torch.cat(found).numpy()


def _chunks(plane: Plane, points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    size = max(1, min(CHUNK_INPUTS, _CHUNK_NUMEL // max(1, plane.origin.numel())))
    return [points[start : start + size] for start in range(0, max(1, len(points)), size)]
