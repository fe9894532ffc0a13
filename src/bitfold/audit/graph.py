"""The autograd graph: which modules a tensor's gradient reaches, and where a gradient becomes 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Edges = tuple[tuple[Any, int], ...]


class Graph:
    """Follows the graph from tensors to parameters, and remembers which operation made each node.

    Args:
        masks: for each parameter's id, the modules that own it, one bit for each module.
    """

    def __init__(self, masks: Mapping[int, int]) -> None:
        self._leaf_masks = masks
        # A node that is kept alive keeps its identity.
        self._masks: dict[Any, int] = {}
        self.makers: dict[Any, int] = {}

    def carries(self, tensor: Tensor, maker: int) -> int:
        """Return the modules that a tensor's graph leads to, one bit for each module.

        Args:
            tensor: any.
            maker: index of the operation that gets the credit for nodes not seen before.
        """
        if not tensor.requires_grad:
            return 0
        node = tensor.grad_fn
        if node is None:
            return self._leaf_masks.get(id(tensor), 0)
        return self._mask(node, maker)

    def mask(self, node: Any) -> int:
        """Return the modules that a node of a known graph leads to."""
        return self._masks.get(node, 0)

    def _mask(self, root: Any, maker: int) -> int:
        """Compute masks from the leaves up, without recursion, since graphs may be deep."""
        if root in self._masks:
            return self._masks[root]
        stack = [root]
        while stack:
            node = stack[-1]
            if node in self._masks:
                stack.pop()
                continue
            ahead = [
                after
                for after, _ in node.next_functions
                if after is not None and after not in self._masks
            ]
            if ahead:
                stack += ahead
                continue
            stack.pop()
            self._masks[node] = self._own_mask(node)
            self.makers[node] = maker
        return self._masks[root]

    def _own_mask(self, node: Any) -> int:
        mask = 0
        for after, _ in node.next_functions:
            mask |= self._masks.get(after, 0)
        if not node.next_functions:
            variable = leaf_of(node)
            mask = 0 if variable is None else self._leaf_masks.get(id(variable), 0)
        return mask


def leaf_of(node: Any) -> Tensor | None:
    """Return the tensor that a node accumulates into, None for any other node."""
    leaf = getattr(node, "variable", None)
    return leaf if isinstance(leaf, Tensor) else None


def nodes_of(value: Tensor) -> Iterator[Any]:
    """Yield every node of a tensor's graph once."""
    stack, seen = [value.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        stack += [after for after, _ in node.next_functions]


class Passage:
    """Watches a backward pass: which nodes a nonzero gradient enters, and which ones it leaves.

    Args:
        value: the tensor whose backward pass will run.
    """

    def __init__(self, value: Tensor) -> None:
        self._flows: dict[Any, tuple[bool, tuple[bool, ...]]] = {}
        # Stored now: before 2.13, PyTorch forgets the edges of a custom Function after the pass.
        self._edges: dict[Any, Edges] = {
            node: edges for node in nodes_of(value) if (edges := node.next_functions)
        }
        self._handles = [node.register_hook(self._hook(node)) for node in self._edges]

    def _hook(self, node: Any) -> Callable[[Sequence[Any], Sequence[Any]], None]:
        def hook(outwards: Sequence[Any], inwards: Sequence[Any]) -> None:
            passed = tuple(_is_nonzero(gradient) for gradient in outwards)
            self._flows[node] = (any(_is_nonzero(gradient) for gradient in inwards), passed)

        return hook

    def close(self) -> None:
        """Remove the hooks; otherwise hooks and graph would keep each other alive."""
        for handle in self._handles:
            handle.remove()

    def stops(self, graph: Graph, bit: int) -> list[Any]:
        """Return the nodes that a nonzero gradient enters while none leaves towards a module.

        Args:
            graph: tells which modules a node leads to.
            bit: the module's.
        """
        return [
            node
            for node, (entered, passed) in self._flows.items()
            if entered
            and graph.mask(node) & bit
            and not any(
                is_nonzero and graph.mask(after) & bit
                for is_nonzero, (after, _) in zip(passed, self._edges[node], strict=False)
            )
        ]


def _is_nonzero(gradient: Any) -> bool:
    if not isinstance(gradient, Tensor):
        return False
    values = gradient.detach()
    if values.is_nested:
        return any(bool((part != 0).any()) for part in values.unbind())
    if values.layout == torch.sparse_coo:
        values = values.coalesce().values()
    return bool((values != 0).any())
