"""Tests of activation checkpointing within blocks of quantised weights."""

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import KolmogorovLoss
from tests.kolmogorov.narrowing import gradient_of

Forward = Callable[["Net", Tensor], Tensor]


class Net(nn.Module):
    """Layers, a parameter outside any layer, a tied parameter, and an LSTM."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.again = nn.Linear(8, 8)
        self.again.weight = self.middle.weight
        self.gain = nn.Parameter(torch.randn(8))
        self.lstm = nn.LSTM(8, 4)
        self.way = forward

    def block(self, x: Tensor) -> Tensor:
        """Compute the part that a checkpoint computes again."""
        x = self.again(torch.relu(self.middle(torch.relu(x)))) * self.gain
        return torch.cat([self.lstm(x)[0], x], 1)[:, :8]

    def forward(self, x: Tensor) -> Tensor:
        """Return three numbers for each point."""
        outputs: Tensor = self.last(self.way(self, self.first(x)))
        return outputs


def again(use_reentrant: bool) -> Forward:
    """Compute the block by one of PyTorch's two ways of checkpointing."""

    def way(net: Net, x: Tensor) -> Tensor:
        found: Tensor = checkpoint(net.block, x, use_reentrant=use_reentrant)
        return found

    return way


def nested(net: Net, x: Tensor) -> Tensor:
    """Compute the block in nested checkpoints, twice."""

    def inner(x: Tensor) -> Tensor:
        found: Tensor = checkpoint(net.block, x, use_reentrant=False)
        return found

    found: Tensor = checkpoint(inner, x, use_reentrant=False)
    return found


WAYS = {"new": again(False), "reentrant": again(True), "nested": nested}


def gradients(
    way: Forward, backward: Callable[[Tensor, nn.Module, KolmogorovLoss], None] | None = None
) -> dict[str, Tensor]:
    """Return the gradients by parameters and steps; the backward pass runs after the block."""
    torch.manual_seed(0)
    net = Net(way)
    loss = KolmogorovLoss(net, quantise="learned", generator=torch.Generator().manual_seed(0))
    points = torch.randn(9, 6)
    with loss.quantised():
        task = net(points).square().mean()
    if backward is None:
        torch.autograd.backward(task)
    else:
        backward(task, net, loss)
    found = {name: gradient_of(item) for name, item in net.named_parameters()}
    return found | {"steps": gradient_of(next(loss.weight_range.parameters()))}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Assert equal gradients, bit for bit unless sums have another order."""
    for name, item in expected.items():
        assert bool(item.any()), name
        torch.testing.assert_close(found[name], item, msg=name)


@pytest.mark.parametrize("name", WAYS)
def test_gradients_are_those_without_checkpoints(name: str) -> None:
    """With checkpoints, gradients by all weights and steps are the same after the block."""
    assert_same(gradients(WAYS[name]), gradients(Net.block))


def test_gradients_that_are_asked_for_later_are_the_same() -> None:
    """`torch.autograd.grad` with a kept graph, and a later backward pass, agree."""

    def later(task: Tensor, net: nn.Module, loss: KolmogorovLoss) -> None:
        first = torch.autograd.grad(task, list(net.parameters()), retain_graph=True)
        with torch.no_grad(), loss.quantised():  # another block, between
            net(torch.ones(1, 6))
        torch.autograd.backward(task)
        for item, expected in zip(net.parameters(), first, strict=True):
            torch.testing.assert_close(item.grad, expected)

    assert_same(gradients(again(False), later), gradients(Net.block))


def test_backward_hooks_see_the_weights_of_the_forward_pass() -> None:
    """A hook reads the rounded weight before and after a checkpoint computes a part again."""
    seen = []

    def hooked(task: Tensor, net: nn.Module, loss: KolmogorovLoss) -> None:
        del loss
        middle = net.get_submodule("middle")

        def look(module: Any, *_: Any) -> None:
            seen.append(module.weight.detach().clone())

        middle.register_full_backward_pre_hook(look)
        last = net.get_submodule("last")
        last.weight.register_hook(lambda _: seen.append(middle.weight.detach().clone()))  # type: ignore[operator]
        torch.autograd.backward(task)

    gradients(again(False), hooked)
    torch.manual_seed(0)
    decoded = KolmogorovLoss(Net(Net.block), quantise="learned").decoded_state()
    assert seen
    assert all(torch.equal(item, decoded["middle.weight"]) for item in seen)


def test_micro_batches_are_added_up() -> None:
    """Gradients of two blocks add up, though both backward passes run later."""

    def total(way: Forward) -> dict[str, Tensor]:
        torch.manual_seed(0)
        net = Net(way)
        loss = KolmogorovLoss(net, quantise="learned")
        tasks = []
        for _ in range(2):
            with loss.quantised():
                tasks.append(net(torch.randn(9, 6)).square().mean())
        for task in tasks:
            torch.autograd.backward(task)
        return {name: gradient_of(item) for name, item in net.named_parameters()}

    assert_same(total(again(False)), total(Net.block))


def test_weights_that_changed_are_refused() -> None:
    """A step between forward and backward is refused: PyTorch would recompute with new weights."""

    def stepped(task: Tensor, net: nn.Module, loss: KolmogorovLoss) -> None:
        del loss
        with torch.no_grad():
            net.get_parameter("middle.weight").add_(1)
        torch.autograd.backward(task)

    with pytest.raises(KolmogorovError, match=r"weights that were changed since. Step the optimi"):
        gradients(again(False), stepped)


def test_two_losses_of_parts_of_a_module_follow_both() -> None:
    """Two losses of parts of a module each give the weights that they describe."""

    def found(way: Forward) -> dict[str, Tensor]:
        torch.manual_seed(0)
        net = Net(way)
        middle = KolmogorovLoss(net.middle, quantise="learned")
        lstm = KolmogorovLoss(net.lstm, quantise="learned")
        with middle.quantised(), lstm.quantised():
            task = net(torch.randn(9, 6)).square().mean()
        torch.autograd.backward(task)
        return {name: gradient_of(item) for name, item in net.named_parameters()}

    assert_same(found(again(False)), found(Net.block))
    net = Net(again(False))
    tasks = []
    for loss in (KolmogorovLoss(net, quantise="learned"), KolmogorovLoss(net, quantise="learned")):
        with loss.quantised():
            tasks.append(net(torch.randn(9, 6)).square().mean())
    with pytest.raises(KolmogorovError, match="expected one KolmogorovLoss of it"):
        torch.autograd.backward(tasks[0])


def test_the_module_is_its_own_outside_of_backward_passes() -> None:
    """Outside backward passes the module reads, copies, saves, loads and pickles as usual."""
    torch.manual_seed(0)
    net = Net(again(False))
    net.way = Net.block  # only a function of the module itself can be copied
    loss = KolmogorovLoss(net, quantise="learned")
    own = net.middle.weight
    with loss.quantised():
        task = net(torch.randn(9, 6)).square().mean()
    assert net.middle.weight is own
    assert dict(net.named_parameters())["middle.weight"] is own
    copied, copied_loss = copy.deepcopy((net, loss))
    assert type(copied.middle._parameters) is dict
    torch.autograd.backward(copied_loss())
    buffer = io.BytesIO()
    torch.save(net, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    assert type(loaded.middle._parameters) is dict
    assert torch.equal(loaded.middle.weight, own)
    net.load_state_dict(copied.state_dict())
    net.middle.bias = nn.Parameter(torch.zeros(8))
    assert net.middle.bias in set(net.parameters())
    del task
    assert {type(part._parameters) for part in net.modules()} == {dict}


# PyTorch's compiler reads the graph, and hides its warning if warnings are not errors.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_compiled_modules_with_a_graph_alive_compute_the_same() -> None:
    """A step whose loss is still held does not disturb the next step's compiled pass."""
    torch.compiler.reset()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    compiled: Any = torch.compile(net, backend="eager")
    loss = KolmogorovLoss(net, quantise="learned")
    points, found = torch.randn(9, 6), []
    for _ in range(3):
        with loss.quantised():
            task = compiled(points).square().mean()
        torch.autograd.backward(task)
        with loss.quantised(), torch.no_grad():
            found.append((float(task), float(net(points).square().mean())))
    assert all(one == pytest.approx(two, rel=1e-6) for one, two in found)


@pytest.mark.parametrize("wrap", ["wrapper", "sequential"])
def test_other_ways_to_checkpoint(wrap: str) -> None:
    """Checkpointed wrappers around layers, and sequences in segments, give the same gradients."""

    def found(checkpointed: bool) -> dict[str, Tensor]:
        torch.manual_seed(0)
        net: Any = nn.Sequential(*(nn.Linear(6, 6) for _ in range(4)))
        points = torch.randn(5, 6, requires_grad=True)
        if checkpointed and wrap == "wrapper":
            net[1] = checkpoint_wrapper(net[1])
        loss = KolmogorovLoss(net, quantise="learned")
        with loss.quantised():
            if checkpointed and wrap == "sequential":
                sequential: Any = checkpoint_sequential
                task = sequential(net, 2, points, use_reentrant=True).square().sum()
            else:
                task = net(points).square().sum()
        torch.autograd.backward(task)
        return {
            name: gradient_of(item) for name, item in zip("abcdefgh", net.parameters(), strict=True)
        }

    assert_same(found(True), found(False))
