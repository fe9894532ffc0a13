"""Removes unused operations of a trace, such as the one that takes the places of a max-pooling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch.utils._pytree import tree_map

from bitfold.polytopes.tracing.operation import Operation, Ref
from bitfold.polytopes.tracing.trace import Trace


def without_unused(found: Trace) -> Trace:
    """Return a trace without the operations that no output, bend or write in place needs.

    Neurons whose results are not used stay.
    """
    operations = found.operations
    needed = {found.output}
    for index in range(len(operations), 0, -1):
        operation = operations[index - 1]
        is_neuron = operation.is_derived and operation.is_bend
        if is_neuron or operation.is_mutable:
            needed.add(index)
        if index in needed:
            needed.update(operation.refs)
    kept = [index for index in range(1, len(operations) + 1) if index in needed]
    numbers = {0: 0} | {index: number for number, index in enumerate(kept, 1)}

    def renumber(leaf: Any) -> Any:
        return Ref(numbers[leaf.index]) if isinstance(leaf, Ref) else leaf

    def renumbered(operation: Operation) -> Operation:
        args, kwargs = tree_map(renumber, (operation.args, dict(operation.kwargs)))
        return replace(operation, args=args, kwargs=kwargs)

    return Trace(
        tuple(renumbered(operations[index - 1]) for index in kept),
        numbers[found.output],
        tuple(found.lengths[index - 1] for index in kept),
    )
