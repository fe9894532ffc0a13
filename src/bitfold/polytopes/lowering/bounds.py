"""Bounds of the rounding errors of a program's results."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bitfold.polytopes.lowering.choices import Choice, choice_of
from bitfold.polytopes.lowering.program import Execution, Program
from bitfold.polytopes.tracing.operation import Named, Operation, PerInput, Ref
from bitfold.polytopes.tracing.pieces import CASTS, CHOICES, NORMS, PAIRS, PIECEWISE, SUMS, Pieces

_ROUNDING = 2.0**-53
# Rows of the bounds of each result.
SIZE, ERROR = 0, 1


class Bounds:
    """The largest size of each element of each result over a batch, and its largest error.

    An affine operation is run on the absolute values of weights and inputs. With three rows (sizes
    s, errors e and zeros) it gives |A| s + |b|, |A| e + |b| and |b|. The error of the result is
    |A| e, plus rounding of at most n u (|A| s + |b|) for sums of n terms. A bend multiplies errors
    by its steepest slope.

    Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1.

    Args:
        program: the program that is run.
        sizes: (...), the largest sizes, over the batch, of the terms that inputs are sums of.
    """

    def __init__(self, program: Program, sizes: Tensor) -> None:
        self._program = program
        rows = np.multiply.outer((1.0, 4 * _ROUNDING), sizes.numpy())
        self.rows: dict[int, Any] = {0: torch.from_numpy(rows)}
        self._sizes: dict[Named | Ref, Any] = {}

    def error(self, index: int) -> Tensor:
        """Return the largest errors of a result's elements, flat."""
        found: Tensor = self.rows[index][ERROR].reshape(-1)
        return found

    def follow(self, number: int, operation: Operation) -> None:
        """Compute the bounds of an operation's result."""
        name, index = operation.name, number + 1
        if name in CASTS:
            self.rows[index] = self.rows[operation.args[0].index]
        elif name in PIECEWISE:
            source = operation.arguments["self"].index
            self.rows[index] = _bent(self.rows[source], self._program.pieces(operation))
        elif name in PAIRS:
            first, second = self._sides(operation)
            largest = torch.maximum(first[SIZE], second[SIZE])
            error = first[ERROR] + second[ERROR] + 8 * _ROUNDING * largest
            self.rows[index] = torch.stack([largest, error])
        elif name in CHOICES:
            self.rows[index] = self._chosen(operation)
        elif name in NORMS:
            self.rows[index] = self._norm(operation)
        else:
            self.rows[index] = self._affine(operation)

    def difference(self, operation: Operation) -> Tensor:
        """Return the largest errors of the difference of a pair's two sides, flat."""
        first, second = self._sides(operation)
        total = first + second
        found: Tensor = total[ERROR] + 2 * _ROUNDING * total[SIZE]
        return found.reshape(-1)

    def choice(self, operation: Operation) -> tuple[Choice, Tensor]:
        """Return an operation's windows, and the largest error of differences in each window."""
        rows = self.rows[operation.arguments["self"].index]
        choice = choice_of(operation, rows.shape[1:])
        size, error = rows.reshape(2, -1)[:, choice.windows].amax(2)
        return choice, 2 * error + 4 * _ROUNDING * size

    def _chosen(self, operation: Operation) -> Any:
        rows = self.rows[operation.arguments["self"].index]
        choice = choice_of(operation, rows.shape[1:])
        largest = rows.reshape(2, -1)[:, choice.windows].amax(2)
        return choice.result(largest.reshape(2, *choice.shape))

    def _sides(self, operation: Operation) -> list[Tensor]:
        """Return sizes, errors and zeros of an operation's operands, in shapes that broadcast."""
        inputs = [
            i.index for i in operation.args[:2] if isinstance(i, Ref) and i.index in self.rows
        ]
        num_dimensions = max(self.rows[index].ndim for index in inputs)
        leaves = [i for i in operation.args[:2] if isinstance(i, Ref | Named | float | int)]
        return [self._rows(leaf, num_dimensions) for leaf in leaves]

    def _rows(self, leaf: Any, num_dimensions: int = 0) -> Tensor:
        """Return sizes, errors and zeros (3, ...) of an argument, padded to some dimensions."""
        if isinstance(leaf, Ref) and leaf.index in self.rows:
            rows = self.rows[leaf.index]
            return torch.cat([rows, torch.zeros_like(rows[:1])])
        size = torch.as_tensor(self._size(leaf), dtype=torch.float64, device="cpu")
        if size.ndim >= max(num_dimensions, 1):
            size = size.amax(0)  # with a batch of its own
        size = size.reshape(*[1] * (num_dimensions - 1 - size.ndim), *size.shape)
        return torch.stack([size, torch.zeros_like(size), torch.zeros_like(size)])

    def _size(self, leaf: Any) -> Any:
        if isinstance(leaf, PerInput):
            return 3 * leaf.times
        if not isinstance(leaf, Named | Ref):
            return abs(leaf)
        if leaf not in self._sizes:
            self._sizes[leaf] = _sized(self._program.constant(leaf))
        return self._sizes[leaf]

    def _affine(self, operation: Operation) -> Any:
        inputs = [index for index in operation.refs if index in self.rows]
        is_plain = operation.name == "addmm" and not operation.kwargs
        if is_plain and [operation.args[1]] == [Ref(index) for index in inputs]:
            return self._layer(operation)
        if any(not isinstance(self.rows[index], Tensor) for index in inputs):
            return operation.perform(lambda leaf: self.rows[leaf.index])
        if operation.name in SUMS:
            first, *others = self._sides(operation)
            alpha = abs(operation.arguments.get("alpha", 1))
            rows = first + alpha * others[0] if others else first
        else:
            rows = _without_signs(operation).perform(self._size_or_rows)
        terms = max((self.rows[index][SIZE].numel() for index in inputs), default=0) + 4
        if isinstance(rows, Tensor):
            return _with_rounding(rows.abs(), terms)
        return [_with_rounding(item.abs(), terms) for item in rows]

    def _layer(self, operation: Operation) -> Tensor:
        """Fast path of `_affine` for a dense layer b + x A, in fewer operations."""
        bias, inputs, weights = operation.args
        rows = self.rows[inputs.index] @ self._size(weights)
        rows[SIZE].add_(self._size(bias))
        rows[ERROR].add_(rows[SIZE], alpha=(len(self._size(weights)) + 4) * _ROUNDING)
        found: Tensor = rows
        return found

    def _size_or_rows(self, leaf: Any) -> Any:
        is_row = isinstance(leaf, Ref) and leaf.index in self.rows
        return self._rows(leaf) if is_row else self._size(leaf)

    def _norm(self, operation: Operation) -> list[Tensor]:
        arguments = operation.arguments
        weight, bias, mean, variance = (
            None if arguments[name] is None else self._program.constant(arguments[name])
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        assert mean is not None
        assert variance is not None
        slope = (variance + arguments["eps"]).rsqrt()
        slope = slope if weight is None else slope * weight.abs()
        shift = slope * mean.abs() + (0 if bias is None else bias.abs())
        rows = self._rows(arguments["input"])
        shape = (-1, *[1] * (rows.ndim - 2))
        rows = rows * slope.reshape(shape)
        rows[SIZE] += shift.reshape(shape)
        nothing = torch.zeros(2, 0, dtype=torch.float64, device="cpu")
        return [_with_rounding(rows, 8), nothing, nothing]


class Bounded(Execution):
    """A run that bounds the rounding errors of its results.

    Args:
        program: the program to run.
        inputs: float64 (N, ...).
        sizes: see `Bounds`.
    """

    def __init__(self, program: Program, inputs: Tensor, sizes: Tensor) -> None:
        super().__init__(program, inputs)
        self._bounds = Bounds(program, sizes)
        self._operation: Operation | None = None

    def follow(self, number: int, operation: Operation) -> None:
        """Perform one operation, and bound its errors."""
        self._operation = operation
        super().follow(number, operation)
        self._bounds.follow(number, operation)

    def forget(self, index: int) -> None:
        """Let go of a result and its bounds."""
        super().forget(index)
        self._bounds.rows.pop(index, None)

    def error(self, index: int) -> Tensor:
        """Return the largest errors of a result's elements, flat."""
        return self._bounds.error(index)

    def choice(self, operation: Operation) -> tuple[Choice, Tensor]:
        """Return an operation's windows, and by how much a later element must be larger."""
        return self._bounds.choice(operation)

    def slack(self, source: int, threshold: float) -> Tensor:
        """Return the largest errors of a result's elements less a threshold, flat."""
        assert self._operation is not None
        if self._operation.name in PAIRS:
            return self._bounds.difference(self._operation)
        return self._bounds.error(source) + abs(threshold) * 2 * _ROUNDING


def _without_signs(operation: Operation) -> Operation:
    """Return the operation with the absolute values of its factors alpha and beta."""
    signed = {"alpha", "beta"} & operation.kwargs.keys()
    if not signed:
        return operation
    kwargs = {**operation.kwargs, **{name: abs(operation.kwargs[name]) for name in signed}}
    return dataclasses.replace(operation, kwargs=kwargs)


def _sized(item: Any) -> Any:
    return item.abs() if isinstance(item, Tensor) and item.is_floating_point() else item


def _with_rounding(rows: Tensor, terms: int) -> Tensor:
    """Return sizes and errors (2, ...) from an operation's results for sizes, errors and zeros."""
    largest, error, shift = rows
    return torch.stack([largest, (error - shift).clamp(min=0) + terms * _ROUNDING * largest])


def _bent(rows: Tensor, pieces: Pieces) -> Tensor:
    steepest = max(map(_largest, pieces.slopes))
    bent = rows.clone() if steepest == 1 else steepest * rows
    if shift := max(map(_largest, pieces.intercepts)):
        bent[SIZE] += shift
    bent[ERROR].add_(bent[SIZE], alpha=8 * _ROUNDING)
    return bent


def _largest(number: Any) -> float:
    return float(number.abs().max()) if isinstance(number, Tensor) else abs(number)
