"""The plain dense layers that a network begins with, as numbers for a compiled loop."""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from bitfold.polytopes.lowering.lowered import Lowered
from bitfold.polytopes.tracing.operation import Named, Operation, Ref
from bitfold.polytopes.tracing.pieces import PIECEWISE


class DenseLayers(NamedTuple):
    """Dense layers, as `cut_dense_layers` takes them.

    Attributes:
        table: int64 (layers, 4): where a layer's weights and biases begin among all weights (-1 for
            no biases), its number of inputs, and its number of outputs.
        slopes: float64 (layers, 2), of each layer's activation, below 0 and above.
        results: the number of each layer's result in the program.
    """

    table: NDArray[np.int64]
    slopes: NDArray[np.float64]
    results: list[int]

    def until(self, result: int) -> DenseLayers:
        """Return the layers up to a result of the program."""
        if not self.results or self.results[-1] <= result:
            return self
        count = sum(number <= result for number in self.results)
        return DenseLayers(self.table[:count], self.slopes[:count], self.results[:count])


# A search takes as long as the cut of a small network.
_FOUND: WeakKeyDictionary[Lowered, DenseLayers] = WeakKeyDictionary()


def find_dense_layers(lowered: Lowered) -> DenseLayers:
    """Find the layers x W^T + b with a bend at 0 with which a module begins.

    Each layer is used by the next layer alone. A lowered module is searched once.
    """
    found = _FOUND.get(lowered)
    if found is None:
        found = _FOUND[lowered] = _search(lowered)
    return found


def _search(lowered: Lowered) -> DenseLayers:
    derived = [(k, one) for k, one in enumerate(lowered.operations) if one.is_derived]
    table, slopes, results, source = [], [], list[int](), 0
    for (number, affine), (bend_number, bend) in zip(derived[::2], derived[1::2], strict=False):
        names = _weights_of(affine, lowered, source)
        found = _slopes_of(bend, number + 1)
        uses = lowered.last_uses.get(source), lowered.last_uses.get(number + 1)
        if names is None or found is None or uses != (number, bend_number):
            break
        weight, bias = names
        begins = [-1 if name is None else lowered.starts[name] for name in (weight, bias)]
        outputs, inputs = lowered.shapes[weight]
        table.append((*begins, inputs, outputs))
        slopes.append(found)
        source = bend_number + 1
        results.append(source)
    return DenseLayers(
        np.array(table, np.int64).reshape(-1, 4), np.array(slopes).reshape(-1, 2), results
    )


def _weights_of(
    operation: Operation, lowered: Lowered, source: int
) -> tuple[str, str | None] | None:
    """Return the names of weight and bias, if an operation is a dense layer of a result."""
    if operation.name == "addmm" and not operation.kwargs:
        bias, inputs, weight = operation.args
    elif operation.name == "mm":
        bias, (inputs, weight) = None, operation.args
    else:
        return None
    if inputs != Ref(source) or not isinstance(bias, Named | None):
        return None
    name = _transposed(weight, lowered)
    return None if name is None else (name, bias.name if bias else None)


def _transposed(leaf: Any, lowered: Lowered) -> str | None:
    """Return the name of the parameter of which an argument is the transpose."""
    made = lowered.operations[leaf.index - 1] if isinstance(leaf, Ref) else None
    if made is None or made.is_derived or made.name != "t":
        return None
    return made.args[0].name if isinstance(made.args[0], Named) else None


def _slopes_of(operation: Operation, source: int) -> tuple[float, float] | None:
    """Return the slopes below and above 0 of an operation that bends a result at 0 alone."""
    if operation.name not in PIECEWISE or operation.arguments["self"] != Ref(source):
        return None
    if isinstance(operation.arguments.get("weight"), Named | Ref):
        return None
    pieces = PIECEWISE[operation.name](operation.arguments)
    if pieces is None or tuple(pieces.thresholds) != (0.0,) or any(pieces.intercepts):
        return None
    below, above = map(float, pieces.slopes)
    return below, above
