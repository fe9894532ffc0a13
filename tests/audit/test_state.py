"""Tests that an audit restores all state that it changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bitfold.audit import audit_gradients
from bitfold.errors import AuditError


class Counting(nn.Module):
    """A module that replaces one buffer, changes another in place and counts in plain Python."""

    average: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("average", torch.zeros(4))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        """Change both buffers and the counter."""
        self.calls += 1
        hidden = self.norm(self.linear(x))
        self.average = 0.9 * self.average + 0.1 * hidden.detach().mean(0)
        return hidden + torch.rand_like(hidden) * random.random() * np.random.rand()  # noqa: NPY002


def state_of(*modules: nn.Module) -> dict[str, Any]:
    """Return all state that an audit must keep, in a form that can be compared."""
    found: dict[str, Any] = {
        "torch": torch.get_rng_state().tolist(),
        "numpy": str(np.random.get_state()),  # noqa: NPY002 - it is what terms use
        "python": random.getstate(),
    }
    for number, module in enumerate(modules):
        for name, inner in module.named_modules():
            found[f"{number}{name}.training"] = inner.training
            found[f"{number}{name}.calls"] = getattr(inner, "calls", None)
        for name, item in (*module.named_parameters(), *module.named_buffers()):
            bits = item.detach().contiguous().reshape(-1).view(torch.uint8).tolist()
            grad = item.grad if item.is_leaf else None
            found[f"{number}{name}"] = (
                *(id(item), item.data_ptr(), item._version, bits, item.requires_grad, id(grad)),
                None if grad is None else grad.tolist(),
            )
    return found


@pytest.fixture
def module() -> Counting:
    """Return a module in which some parameters have gradients."""
    torch.manual_seed(0)
    module = Counting()
    module.linear.weight.grad = torch.randn(4, 4)
    module.norm.bias.requires_grad_(False)
    return module


def leave_eval_mode(module: nn.Module, x: Tensor) -> Tensor:
    """Switch to evaluation, and forget to switch back."""
    module.eval()
    return module(x).square().mean()


def backward_within(module: nn.Module, x: Tensor) -> Tensor | float:
    """Run a backward pass that adds to ``.grad``."""
    module(x).square().mean().backward()
    return sum(item.grad.square().sum() for item in module.parameters() if item.grad is not None)


def change_parameters(module: Counting, x: Tensor) -> Tensor:
    """Clip the weights in place, thaw a parameter and freeze another."""
    with torch.no_grad():
        module.linear.weight.clamp_(-0.1, 0.1)
    module.norm.bias.requires_grad_(True)
    module.linear.bias.requires_grad_(False)
    return module(x).square().mean()


def plain(module: nn.Module, x: Tensor) -> Tensor:
    """Return a term that changes no state."""
    return module(x).square().mean()


def hard(module: nn.Module, x: Tensor) -> Tensor:
    """Return a term with a cut, for which the audit needs the most evaluations."""
    return module(x).round().square().mean()


def raise_late(module: Counting, x: Tensor) -> Tensor:
    """Change all kinds of state, then raise."""
    leave_eval_mode(module, x)
    change_parameters(module, x)
    raise RuntimeError("on purpose")


@pytest.mark.parametrize(
    "how", [plain, hard, leave_eval_mode, backward_within, change_parameters, raise_late]
)
def test_everything_is_as_it_was(
    module: Counting, how: Callable[[Counting, Tensor], Tensor | float]
) -> None:
    """An audit restores parameters, gradients, buffers, flags and random states exactly."""
    x, stranger = torch.randn(16, 4), Counting()
    before = state_of(module, stranger)
    version = module.linear.weight._version if how is not change_parameters else None
    terms = {"loss": lambda: how(module, x) + stranger(x).mean()}
    try:
        audit_gradients(terms, {"module": module})
        assert how is not raise_late
    except AuditError:
        assert how is raise_late
    after = state_of(module, stranger)
    if version is None or how is raise_late:
        # PyTorch counts the in-place writes of a term that itself changes parameters.
        before, after = (
            {k: v[:2] + v[3:] if isinstance(v, tuple) else v for k, v in state.items()}
            for state in (before, after)
        )
        before.pop("python"), after.pop("python")
    differing = [key for key in before if before[key] != after[key] and "version" not in key]
    tracked = [key for key in differing if not key.endswith(("running_mean", "running_var"))]
    assert [key for key in tracked if not key.endswith("num_batches_tracked")] == []
    for name, buffer in (*module.named_buffers(), *stranger.named_buffers()):
        start = torch.ones(4) if name.endswith("running_var") else torch.zeros(())
        assert torch.equal(buffer, start.expand_as(buffer).to(buffer.dtype)), name


def test_tensors_of_nobody_are_put_back() -> None:
    """The audit undoes a term's in-place writes to tensors outside all modules."""
    net, memory = nn.Linear(4, 4), torch.zeros(4)
    table = nn.Embedding(3, 4)
    start = table.weight.detach().clone()
    x = torch.randn(8, 4)

    def term() -> Tensor:
        memory.mul_(0.9).add_(net(x).detach().mean(0))
        memory[0] = 3.0
        with torch.no_grad():
            table.weight[1] = memory
        return net(x + memory).square().mean()

    audit_gradients({"loss": term}, {"net": net})
    assert torch.equal(memory, torch.zeros(4))
    assert torch.equal(table.weight, start)


def test_a_graph_of_the_callers_survives() -> None:
    """An audit between a forward and a backward pass changes neither of them."""
    net, x = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)), torch.randn(8, 4)
    loss = net(x).square().mean()
    wanted = torch.autograd.grad(loss, list(net.parameters()), retain_graph=True)
    audit_gradients({"loss": lambda: net(x).round().mean()}, {"net": net})
    found = torch.autograd.grad(loss, list(net.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(wanted, found, strict=True))


def test_no_hook_stays_behind() -> None:
    """An audit leaves no hooks on modules or functions."""
    net, x = nn.Linear(4, 1), torch.randn(8, 4)
    audit_gradients({"loss": lambda: net(x).mean()}, {"net": net})
    assert not nn.modules.module._global_forward_pre_hooks
    assert torch.overrides._len_torch_function_stack() == 0  # type: ignore[attr-defined] # private
