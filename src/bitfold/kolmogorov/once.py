"""Gradients that can be computed once, and say so when they are differentiated again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from bitfold.errors import KolmogorovError


def differentiable_once(
    what: str, gradients: Sequence[Tensor], inputs: Sequence[Tensor]
) -> Sequence[Tensor]:
    """Let the derivative of gradients raise an error: without a graph it would be 0 in silence.

    To be called in a backward pass, where gradients are enabled only for ``create_graph=True``.

    Args:
        what: the loss, for the error.
        gradients: without a graph.
        inputs: the tensors on which the gradients depend.

    Returns:
        The gradients, whose own backward pass raises a KolmogorovError.
    """
    if not torch.is_grad_enabled():
        return gradients
    # PyTorch leaves Function.apply without types.
    apply: Callable[..., tuple[Tensor, ...]] = _Once.apply
    return apply((what, gradients), *inputs)


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, work: tuple[str, Sequence[Tensor]], *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        del inputs  # they only connect the graph
        ctx.what, gradients = work
        return tuple(item.detach() for item in gradients)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> NoReturn:
        raise KolmogorovError(
            f"Cannot differentiate {ctx.what} twice: expected a derivative, got one of its "
            f"gradient; {ctx.what} is differentiable once. Take second derivatives of the other "
            "terms alone."
        )
