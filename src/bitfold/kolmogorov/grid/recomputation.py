"""Activation checkpointing: parts of a module that are computed again in the backward pass.

A block of `quantised` is then over, and the module has its own parameters back. What is computed
again must see the weights of the block all the same.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.weights.parameters import ParameterTable

MakeWeights = Callable[[], tuple[Tensor, ...]]


class Recomputation:
    """Gives a module's parts the weights of a block while a backward pass runs.

    It does so as long as a graph of a block lives: after that no pass can run through it.

    Args:
        table: the described parameters.
        make_weights: computes the weights of a block anew, with a graph.
    """

    def __init__(self, table: ParameterTable, make_weights: MakeWeights) -> None:
        self._table, self._make_weights = table, make_weights
        self._num_graphs = 0
        self._versions: dict[int, int] = {}
        self._task, self._weights = -1, dict[int, Tensor]()

    def follow(self, node: Any) -> None:
        """Stand by until the graph of a block is freed.

        Args:
            node: of the graph, that made the block's weights.
        """
        self._versions = {id(item): version_of(item) for item in self._table.parameters}
        self._num_graphs += 1
        if self._num_graphs == 1:
            self._install()
        node.sentinel = _Sentinel()
        weakref.finalize(node.sentinel, self._release).atexit = False

    def in_place_of(self, item: nn.Parameter | None) -> Tensor | None:
        """What a part of the module gets for one of its parameters."""
        task = _backward_pass()
        if item is None or task < 0 or self._table.is_replaced or id(item) not in self._versions:
            return item
        if self._versions[id(item)] != version_of(item):
            raise KolmogorovError(
                "Cannot compute a part of the module again: expected the weights of its forward "
                "pass, got weights that were changed since. Step the optimiser after backward()."
            )
        if task != self._task:
            with torch.enable_grad():
                weights = self._make_weights()
            self._weights = dict(zip(map(id, self._table.parameters), weights, strict=True))
            self._task = task
        return self._weights[id(item)]

    def _owners(self) -> list[dict[str, Any]]:
        # Scripted modules keep their parameters elsewhere; no part of them is computed again.
        owners = (vars(module) for module in self._table.module.modules())
        return [
            attributes for attributes in owners if isinstance(attributes.get("_parameters"), dict)
        ]

    def _install(self) -> None:
        for attributes in self._owners():
            held = attributes["_parameters"]
            if any(id(item) in self._versions for item in held.values()):
                others = held.recomputations if isinstance(held, _Parameters) else ()
                attributes["_parameters"] = _Parameters(held, (*others, self))

    def _release(self) -> None:
        self._num_graphs -= 1
        if self._num_graphs:
            return
        self._task, self._weights = -1, {}
        for attributes in self._owners():
            held = attributes["_parameters"]
            if isinstance(held, _Parameters) and self in held.recomputations:
                others = tuple(one for one in held.recomputations if one is not self)
                plain = dict(held.items())
                attributes["_parameters"] = _Parameters(plain, others) if others else plain


class _Sentinel:
    """Lives as long as the graph."""


class _Parameters(dict[str, Any]):
    """A module's dictionary of parameters, from which attributes are read; its copies are plain."""

    def __init__(self, held: Mapping[str, Any], recomputations: tuple[Recomputation, ...]) -> None:
        super().__init__(held.items())
        self.recomputations = recomputations

    def __getitem__(self, name: str) -> Any:
        item = super().__getitem__(name)
        found = [one.in_place_of(item) for one in self.recomputations]
        others = [other for other in found if other is not item]
        if len(others) > 1:
            raise KolmogorovError(
                f"Cannot compute {name!r} again: expected one KolmogorovLoss of it, got "
                f"{len(others)}. Free the results of all quantised() blocks but one."
            )
        return others[0] if others else item

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return copy.deepcopy(dict(self.items()), memo)

    def __copy__(self) -> dict[str, Any]:
        return dict(self.items())

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return dict, (dict(self.items()),)


def version_of(tensor: Tensor) -> int:
    """How often a tensor was changed in place; -1 if it does not count that."""
    return -1 if tensor.is_inference() else tensor._version


def _backward_pass() -> int:
    """The number of the backward pass that runs on this thread; -1 if none does."""
    # PyTorch has no public name for it; its own checkpointing takes this one.
    number: int = torch._C._current_graph_task_id()
    return number
