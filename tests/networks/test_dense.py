"""Tests of CompiledNet: it gives the network's numbers, by compiled loops where possible."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bitfold.errors import ShapeError
from bitfold.networks import CompiledNet, PolytopeNet
from bitfold.networks.dense import MAX_COMPILED_WIDTH
from bitfold.networks.dense_kernels import TILE

NODE = "_CompiledPassBackward"


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


def net(shape: str = "[10]*3", activation: str = "leaky_relu", final: str = "none") -> PolytopeNet:
    """Build a network of three inputs and two outputs whose biases differ."""
    network = PolytopeNet(3, shape, 2, activation, final, generator=generator())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator(1)), alpha=0.1)
    return network


def linear(network: PolytopeNet, index: int) -> nn.Linear:
    """Return one of the network's affine layers."""
    layer = network.layers[index]
    assert isinstance(layer, nn.Linear)
    return layer


def points(number: int = 300) -> Tensor:
    """Draw points of three coordinates."""
    return torch.randn(number, 3, generator=generator(2))


def gradients(network: PolytopeNet, outputs: Tensor) -> list[Tensor]:
    """Return the parameters' gradients of a sum that weighs every output differently."""
    weights = torch.randn(outputs.shape, generator=generator(3)).to(outputs.dtype)
    return list(torch.autograd.grad((outputs * weights).sum(), list(network.parameters())))


def worst(found: list[Tensor], exact: list[Tensor]) -> float:
    """Return the largest error of a tensor relative to its largest value."""
    pairs = [(a.detach().double(), b.detach()) for a, b in zip(found, exact, strict=True)]
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)


def is_compiled(outputs: Tensor) -> bool:
    """Return whether outputs came from the compiled loops."""
    return outputs.grad_fn is not None and outputs.grad_fn.name() == NODE


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let PyTorch use a number of threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_exactness(network: PolytopeNet, batch: Tensor) -> None:
    """Compare errors with PyTorch's own errors."""
    reference = copy.deepcopy(network).double()
    exact = reference(batch.double())
    ours, theirs = CompiledNet(network)(batch), network(batch)
    assert is_compiled(ours)
    rounding = 4 * torch.finfo(torch.float32).eps
    assert worst([ours], [exact]) <= 3 * worst([theirs], [exact]) + rounding
    true = gradients(reference, exact)
    allowed = 3 * worst(gradients(network, theirs), true) + rounding
    assert worst(gradients(network, ours), true) <= allowed


@pytest.mark.parametrize("number", [1, TILE - 1, TILE, TILE + 1, 1000])
@pytest.mark.parametrize("shape", ["[]", "[1]", "[10]*8", "[7,4,5]", "[16]"])
def test_outputs_and_gradients_are_as_exact_as_pytorchs(shape: str, number: int) -> None:
    """No value is off by more than rounding or three times PyTorch's largest error."""
    check_exactness(net(shape), points(number))


def test_so_they_are_in_the_widest_network() -> None:
    """Values and gradients of the widest compiled network are exact too."""
    check_exactness(net(f"[{MAX_COMPILED_WIDTH}]*3"), points(150))


@pytest.mark.parametrize("final", ["none", "relu", "leaky_relu"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_each_activation_that_folds_once_is_compiled(activation: str, final: str) -> None:
    """Values and gradients are the network's for each pair of hidden and final activation."""
    network = net(activation=activation, final=final)
    ours, theirs = CompiledNet(network)(points()), network(points())
    assert is_compiled(ours)
    assert torch.allclose(ours, theirs, atol=1e-6)
    for a, b in zip(gradients(network, ours), gradients(network, theirs), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4)


def test_a_leaky_slope_is_the_modules_own() -> None:
    """The loops take the slope of LeakyReLU from the layer."""
    network = net()
    for layer in network.layers:
        if isinstance(layer, nn.LeakyReLU):
            layer.negative_slope = 0.4
    assert torch.allclose(CompiledNet(network)(points()), network(points()), atol=1e-6)


def test_without_a_graph_the_bits_are_the_same() -> None:
    """Outputs without a graph equal those with one, also for no points at all."""
    compiled = CompiledNet(net())
    with torch.no_grad():
        alone = compiled(points())
        assert compiled(points(0)).shape == (0, 2)
    assert alone.grad_fn is None
    assert torch.equal(alone, compiled(points()).detach())


def test_threads_do_not_change_a_bit() -> None:
    """Outputs and gradients are equal with one thread of PyTorch and with two."""
    network = net("[10]*8")
    found = []
    for number in (1, 2):
        with threads(number):
            outputs = CompiledNet(network)(points(1000))
            found.append([outputs, *gradients(network, outputs)])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_points_that_do_not_lie_in_a_row_are_read_rightly() -> None:
    """Strided views and broadcast gradients give the same results as copies."""
    network = net()
    batch = points(600)[::2]
    ours = CompiledNet(network)(batch)
    assert torch.equal(ours, CompiledNet(network)(batch.contiguous()))
    found = torch.autograd.grad(ours.sum(), list(network.parameters()))
    wanted = torch.autograd.grad(network(batch).sum(), list(network.parameters()))
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4)


def test_two_passes_keep_apart() -> None:
    """Each backward uses its own forward's points and parameters; gradients add up."""
    network = net()
    compiled, first, second = CompiledNet(network), points(100), points(600)[300:]
    for forward in (compiled, network):
        losses = [forward(batch).square().sum() for batch in (first, second)]
        for loss in losses:
            torch.autograd.backward(loss, retain_graph=True)
        torch.autograd.backward(losses[0])
        if forward is compiled:
            ours = [p.grad for p in network.parameters()]
            network.zero_grad(set_to_none=True)
    for a, p in zip(ours, network.parameters(), strict=True):
        assert a is not None
        assert p.grad is not None
        assert torch.allclose(a, p.grad, rtol=1e-4, atol=1e-3)


def test_gradients_are_those_of_the_pass_though_parameters_moved_since() -> None:
    """A step between forward and backward does not mix two sets of parameters."""
    network = net()
    outputs = CompiledNet(network)(points())
    wanted = gradients(network, CompiledNet(network)(points()))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    assert all(torch.equal(a, b) for a, b in zip(gradients(network, outputs), wanted, strict=True))


def test_parameters_are_read_at_every_call() -> None:
    """The next call sees parameters changed in place, replaced, or loaded."""
    network = net()
    compiled = CompiledNet(network)
    layer = linear(network, 0)
    compiled(points())

    def check() -> None:
        assert torch.allclose(compiled(points()), network(points()), atol=1e-6)

    with torch.no_grad():
        layer.weight.mul_(2)
    check()
    layer.bias.data = torch.ones(10)
    check()
    layer.weight = nn.Parameter(torch.randn(10, 3, generator=generator()))
    check()
    network.load_state_dict(net("[10]*3", "relu").state_dict())
    check()


def test_frozen_parameters_get_no_gradient() -> None:
    """Frozen parameters get no gradient, and the others get theirs."""
    network = net()
    layer = linear(network, 2)
    layer.weight.requires_grad_(False)
    torch.autograd.backward(CompiledNet(network)(points()).sum())
    assert layer.weight.grad is None
    assert layer.bias.grad is not None


def test_what_is_not_finite_shows() -> None:
    """NaN in a point stays in its row; NaN in a weight reaches all rows and the gradients."""
    network = net(activation="relu")
    batch = points()
    batch[7, 1] = torch.nan
    ours, theirs = CompiledNet(network)(batch), network(batch)
    assert ours.isnan().any(1).nonzero().flatten().tolist() == [7]
    pairs = list(zip(gradients(network, ours), gradients(network, theirs), strict=True))
    assert all(torch.equal(a.isnan(), b.isnan()) for a, b in pairs)
    assert any(a.isnan().any() for a, _ in pairs)
    with torch.no_grad():
        linear(network, 0).weight.fill_(torch.nan)
    assert CompiledNet(network)(points()).isnan().all()


def test_infinities_are_pytorchs() -> None:
    """relu of minus infinity is 0 and not nan; leaky_relu keeps it."""
    for activation in ("relu", "leaky_relu"):
        network = net("[10]", activation)
        with torch.no_grad():
            linear(network, 0).bias[0] = -torch.inf
        assert torch.allclose(CompiledNet(network)(points()), network(points()), atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_slopes_on_a_fold_are_pytorchs(activation: str) -> None:
    """On a fold, where every neuron's sum is 0, the slopes are PyTorch's."""
    network = net("[8]*2", activation, final=activation)
    with torch.no_grad():
        for index in (0, 2, 4):
            linear(network, index).bias.zero_()
        linear(network, 0).weight.zero_()
    ours, theirs = CompiledNet(network)(points()), network(points())
    assert is_compiled(ours)
    for found, expected in zip(gradients(network, ours), gradients(network, theirs), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("activation", ["abs", "tanh", "gelu", "sine"])
def test_other_activations_go_through_the_network(activation: str) -> None:
    """Other activations give exactly the outputs of the network itself."""
    network = net(activation=activation)
    outputs = CompiledNet(network)(points())
    assert not is_compiled(outputs)
    assert torch.equal(outputs, network(points()))


def test_other_networks_go_through_themselves() -> None:
    """Wide networks, other types, a final sigmoid and transposed parameters go through PyTorch."""
    transposed = net("[3]")
    layer = linear(transposed, 0)
    layer.weight.data = layer.weight.data.t()
    wide, sigmoid = net(f"[{MAX_COMPILED_WIDTH + 1}]"), net(final="sigmoid")
    for network in (wide, sigmoid, transposed):
        outputs = CompiledNet(network)(points())
        assert not is_compiled(outputs)
        assert torch.equal(outputs, network(points()))
    double = net().double()
    assert torch.equal(CompiledNet(double)(points().double()), double(points().double()))


def test_points_that_want_a_gradient_get_it() -> None:
    """Points that need a gradient go through PyTorch, since the loops compute none by points."""
    batch = points().requires_grad_()
    torch.autograd.backward(CompiledNet(net())(batch).sum())
    assert batch.grad is not None
    assert batch.grad.abs().sum() > 0


def test_hooks_are_called() -> None:
    """A hook, also on a layer or added later, runs; the loops return once it is removed."""
    network = net()
    compiled, seen = CompiledNet(network), []
    compiled(points())
    layer = network.layers[2]
    for register in (layer.register_forward_hook, network.register_forward_pre_hook):
        handle = register(lambda module, *_: seen.append(type(module)))
        assert not is_compiled(compiled(points()))
        handle.remove()
    handle = layer.register_full_backward_hook(lambda module, *_: seen.append(type(module)))
    torch.autograd.backward(compiled(points()).sum())
    handle.remove()
    assert seen == [nn.Linear, PolytopeNet, nn.Linear]
    assert is_compiled(compiled(points()))


def test_points_of_another_shape_get_the_networks_error() -> None:
    """Points with wrong coordinates or dimensions raise the network's own error."""
    compiled = CompiledNet(net())
    for batch in (torch.zeros(5, 2), torch.zeros(3), torch.zeros(1, 5, 3)):
        with pytest.raises(ShapeError, match="Cannot evaluate the network"):
            compiled(batch)


def test_a_large_pass_is_left_to_several_threads() -> None:
    """Large work goes through PyTorch if it has several threads, and through loops otherwise."""
    network = net()
    batch = points(1).expand(40_000, 3)
    with threads(2):
        assert not is_compiled(CompiledNet(network)(batch))
    with threads(1):
        assert is_compiled(CompiledNet(network)(batch))


def test_few_points_do_not_fill_a_wide_networks_tile() -> None:
    """Few points go through PyTorch in a wide network, and through loops in a narrow one."""
    assert not is_compiled(CompiledNet(net("[17]"))(points(127)))
    assert is_compiled(CompiledNet(net("[17]"))(points(128)))
    assert is_compiled(CompiledNet(net("[16]"))(points(127)))


@pytest.mark.slow
def test_a_first_compilation_gives_the_same_bits(tmp_path: Path) -> None:
    """A process that compiles the loops and one that loads them compute equal gradients."""
    script = (
        "import torch\n"
        "from bitfold.networks import PolytopeNet\n"
        "from bitfold.networks.dense import CompiledNet\n"
        "generator = torch.Generator().manual_seed(0)\n"
        "network = PolytopeNet(2, '[12]*3', 1, generator=generator)\n"
        "points = torch.rand(300, 2, generator=generator)\n"
        "CompiledNet(network)(points).square().sum().backward()\n"
        "print([p.grad.view(torch.int32).flatten().tolist() for p in network.parameters()])\n"
    )
    place = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    compiling, loading = (
        subprocess.run(command, env=place, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    )
    assert any(tmp_path.rglob("*.nbi"))
    assert compiling == loading
