"""A lowered module with its weights, run in float64."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from bitfold.errors import PolytopeError
from bitfold.polytopes.lowering.lowered import Lowered
from bitfold.polytopes.tracing.operation import Named, Operation, PerInput, Ref
from bitfold.polytopes.tracing.pieces import CASTS, CHOICES, PAIRS, PIECEWISE, RELU, Pieces


class Program:
    """A lowered module with a copy of its weights.

    Args:
        lowered: the operations.
        items: parameters and buffers by name; copied to the CPU as float64.

    Attributes:
        flat: float64, all floating-point weights, concatenated; see `Lowered.starts`.

    Raises:
        PolytopeError: a weight is not finite.
    """

    def __init__(self, lowered: Lowered, items: Mapping[str, Tensor]) -> None:
        self.lowered = lowered
        weights = [items[name] for name in lowered.shapes]
        self.flat = lowered.weight_reader.read(weights)
        if not math.isfinite(self.flat.numpy().sum()):
            for name in lowered.shapes:
                _check_finite(name, items[name])
        self._constants: dict[Named | Ref, Any] = {
            Named(name): items[name].detach().cpu().clone() for name in lowered.others
        }

    def constant(self, leaf: Any) -> Any:
        """Return the value of a weight, or of a result that depends on weights alone."""
        if leaf not in self._constants:
            self._constants[leaf] = self._made(leaf)
        return self._constants[leaf]

    def _made(self, leaf: Named | Ref) -> Any:
        if isinstance(leaf, Ref):
            return self.lowered.operations[leaf.index - 1].perform(self.constant)
        start, shape = self.lowered.starts[leaf.name], self.lowered.shapes[leaf.name]
        return self.flat[start : start + shape.numel()].view(shape)

    def pieces(self, operation: Operation) -> Pieces:
        """Return the function that a piecewise linear operation applies to each element."""
        arguments = operation.arguments
        if isinstance(arguments.get("weight"), Named | Ref):
            arguments = {**arguments, "weight": self.constant(arguments["weight"])}
        pieces = PIECEWISE[operation.name](arguments)
        assert pieces is not None
        return pieces


def _check_finite(name: str, item: Tensor) -> None:
    if num_bad := int((~item.isfinite()).sum()):
        raise PolytopeError(
            f"Cannot find polytopes: expected finite weights, got {num_bad} of {item.numel()} "
            f"not finite in {name}. Use an earlier checkpoint."
        )


class Execution:
    """One run of a program on a batch of inputs.

    Args:
        program: the program to run.
        inputs: float64 (N, ...).

    Attributes:
        values: the results that are still needed, by number. While a pair is compared, its two
            sides and their difference have the numbers -1, -2 and -3.
    """

    def __init__(self, program: Program, inputs: Tensor) -> None:
        self.program = program
        self.values: dict[int, Any] = {0: inputs}

    def bend(self, source: int, pieces: Pieces) -> Tensor:
        """Return a bent result. Subclasses record it, or change the batch."""
        return bent(self.values[source], pieces, self.values[source])

    def run(self) -> Tensor:
        """Run everything; return the output, (N, outputs)."""
        lowered = self.program.lowered
        for number, operation in enumerate(lowered.operations):
            if operation.is_derived:
                self.follow(number, operation)
                for index in lowered.forgotten[number]:
                    self.forget(index)
        output: Tensor = self.values[lowered.output]
        return output.reshape(len(output), -1)

    def follow(self, number: int, operation: Operation) -> None:
        """Perform one operation on the batch."""
        name, index = operation.name, number + 1
        if name in CASTS:
            self.values[index] = self.values[operation.args[0].index]
        elif name in PAIRS:
            self._follow_pair(index, operation)
        elif name in PIECEWISE:
            source = operation.arguments["self"].index
            self.values[index] = self.bend(source, self.program.pieces(operation))
        elif name in CHOICES:
            self.values[index] = self.choose(operation.arguments["self"].index, operation)
        else:
            self.values[index] = operation.perform(self._value)

    def choose(self, source: int, operation: Operation) -> Any:
        """Return the largest elements of a result's windows. Subclasses differ as for `bend`."""
        del source
        return operation.perform(self._value)

    def forget(self, index: int) -> None:
        """Free a result that is no longer needed."""
        del self.values[index]

    def _follow_pair(self, index: int, operation: Operation) -> None:
        """max(a, b) = b + relu(a - b), min(a, b) = a - relu(a - b)."""
        first, second = (self._value(leaf) for leaf in operation.args[:2])
        self.values[-1], self.values[-2] = first + 0 * second, second + 0 * first
        self.values[-3] = self.values[-1] - self.values[-2]
        over = self.bend(-3, RELU)
        if operation.name == "maximum":
            self.values[index] = self.values[-2] + over
        else:
            self.values[index] = self.values[-1] - over
        for key in (-1, -2, -3):
            self.forget(key)

    def _value(self, leaf: Any) -> Any:
        if isinstance(leaf, PerInput):
            return leaf.times * next(len(v) for v in self.values.values() if isinstance(v, Tensor))
        if isinstance(leaf, Ref) and leaf.index in self.values:
            return self.values[leaf.index]
        return self.program.constant(leaf)


def bent(values: Tensor, pieces: Pieces, like: Tensor) -> Tensor:
    """Apply to each value the piece on which another value, of the same place, lies."""
    if values is like and (leak := pieces.leak) is not None:
        return leaky_relu(values, leak)
    result: Tensor = values * pieces.slopes[0] + pieces.intercepts[0]
    rest = zip(pieces.thresholds, pieces.slopes[1:], pieces.intercepts[1:], strict=True)
    for threshold, slope, intercept in rest:
        result = torch.where(like > threshold, values * slope + intercept, result)
    return result
