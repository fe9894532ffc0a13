"""Tests of PyTorch's optimisers without its compiler."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from bitfold.runtime.light_torch.plain_optimizers import plain

KINDS: list[tuple[type[torch.optim.Optimizer], dict[str, Any]]] = [
    (torch.optim.Adam, {"lr": 0.1, "fused": True}),
    (torch.optim.AdamW, {"lr": 0.1, "amsgrad": True, "fused": True}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "fused": True}),
    (torch.optim.RMSprop, {"lr": 0.1}),
    (torch.optim.Muon, {"lr": 0.1}),
]


def trained(kind: type[torch.optim.Optimizer], options: dict[str, Any]) -> tuple[Tensor, Any]:
    """Return the weights and the optimiser's state after some steps, across a reload."""
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 12).reshape(3, 4))
    optimizer = kind([weight], **options)
    for step in range(6):
        optimizer.zero_grad()
        (weight.sin() * (step + 1)).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step == 2:
            kept = optimizer.state_dict()
            optimizer = kind([weight], **options)
            optimizer.load_state_dict(kept)
    return weight.detach(), optimizer.state_dict()


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=[kind.__name__ for kind, _ in KINDS])
def test_steps_and_states_are_those_of_pytorch(
    kind: type[torch.optim.Optimizer], options: dict[str, Any]
) -> None:
    """Steps and states equal PyTorch's bit for bit, also after storing and loading."""
    weight, state = trained(plain(kind), options)
    expected_weight, expected_state = trained(kind, options)
    assert torch.equal(weight, expected_weight)
    torch.testing.assert_close(state, expected_state, rtol=0, atol=0)


def test_a_step_builds_no_graph() -> None:
    """A step builds no graph and keeps parameters as leaves, even where gradients are enabled."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = plain(torch.optim.SGD)([weight], lr=0.5)
    weight.grad = torch.ones(2)
    optimizer.step()
    assert weight.is_leaf
    assert weight.tolist() == [0.5, 0.5]
