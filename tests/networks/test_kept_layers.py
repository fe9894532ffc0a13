"""Tests of `KeptLayers`: the bits of a module's own passes, in memory that is taken again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import register_module_forward_hook

from bitfold.networks import CompiledNet, PolytopeNet
from bitfold.networks.kept_layers import KeptLayers

NODE = "_KeptPassBackward"


def net(activation: str = "leaky_relu", final: str = "none", encoding: str = "none") -> PolytopeNet:
    """Build a network that is too wide for the compiled loops."""
    generator = torch.Generator().manual_seed(0)
    return PolytopeNet(2, "[64, 80]", 3, activation, final, encoding=encoding, generator=generator)


def points(number: int, seed: int = 1) -> Tensor:
    """Draw points of the plane."""
    return 2 * torch.rand(number, 2, generator=torch.Generator().manual_seed(seed)) - 1


def gradients(module: nn.Module, outputs: Tensor) -> list[Tensor]:
    """Return the parameters' gradients of a loss that weighs outputs differently."""
    weights = torch.rand(outputs.shape, generator=torch.Generator().manual_seed(2)) - 0.5
    loss = (outputs * weights).sum()
    return list(torch.autograd.grad(loss, list(module.parameters()), retain_graph=True))


def gradients_of(outputs: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    """Return the gradients of the outputs' sum."""
    return list(torch.autograd.grad(outputs.sum(), parameters))


def same(found: list[Tensor], expected: list[Tensor]) -> bool:
    """Whether all bits are the same."""
    return all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("encoding", ["none", "triangle:3", "grid:2x3"])
@pytest.mark.parametrize("final", ["none", "relu", "leaky_relu"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_outputs_and_gradients_have_the_networks_bits(
    activation: str, final: str, encoding: str
) -> None:
    """One step after another, with batches of different sizes, as in an epoch."""
    network = net(activation, final, encoding)
    fast = CompiledNet(network)
    for number in (300, 7, 500):
        outputs, expected = fast(points(number)), network(points(number))
        assert outputs.grad_fn is not None
        assert outputs.grad_fn.name() == NODE
        assert torch.equal(outputs, expected)
        assert same(gradients(network, outputs), gradients(network, expected))
        with torch.no_grad():
            assert torch.equal(fast(points(number)), expected)


def test_a_users_default_device_and_type_do_not_count() -> None:
    """Memory is float32 on the processor, whatever PyTorch makes of tensors by default."""
    network, given = net(), points(30)
    fast, expected = CompiledNet(network), network(given)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            assert torch.equal(fast(given), expected)
    finally:
        torch.set_default_dtype(before)


def test_graphs_that_live_at_once_have_memory_of_their_own() -> None:
    """Two passes before the first gradient, and a graph that is gone through twice."""
    network = net()
    fast = CompiledNet(network)
    first, second = fast(points(200)), fast(points(200, seed=3))
    with torch.no_grad():
        fast(points(200, seed=4))
    expected = gradients(network, network(points(200)))
    assert same(gradients(network, first), expected)
    assert same(gradients(network, second), gradients(network, network(points(200, seed=3))))
    assert same(gradients(network, first), expected)


def test_memory_is_taken_again_when_no_graph_needs_it() -> None:
    """Steps one after the other take one room, and two graphs at once two."""
    layers = KeptLayers([0.0, 1.0])
    parameters = [torch.rand(s, requires_grad=True) for s in ((64, 2), (64,), (1, 64), (1,))]
    for _ in range(3):
        gradients_of(layers(points(100), parameters), parameters)
    assert len(layers._free) == 1
    both = layers(points(100), parameters) + layers(points(100), parameters)
    gradients_of(both, parameters)
    del both
    assert len(layers._free) == 2


def test_inputs_get_their_gradient() -> None:
    """Features of an encoding learn through the layers."""
    layers, inputs = KeptLayers([0.01, 1.0]), points(50).requires_grad_()
    parameters = [torch.rand(shape) for shape in ((64, 2), (64,), (1, 64), (1,))]
    weight, bias, last_weight, last_bias = parameters
    hidden = functional.leaky_relu(functional.linear(inputs, weight, bias), 0.01)
    expected = functional.linear(hidden, last_weight, last_bias).sum()
    (found,) = torch.autograd.grad(layers(inputs, parameters).sum(), inputs)
    assert torch.equal(found, torch.autograd.grad(expected, inputs)[0])


def test_weights_that_changed_since_are_noticed() -> None:
    """As PyTorch does, a gradient is refused if its weights are no longer those of the pass."""
    network = net()
    outputs = CompiledNet(network)(points(30))
    with torch.no_grad():
        network.layers[0].weight.mul_(2)  # type: ignore[operator]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        gradients_of(outputs, list(network.parameters()))


def test_a_second_derivative_is_refused() -> None:
    """It would be 0 in silence otherwise."""
    network = net()
    loss = CompiledNet(network)(points(30)).square().sum()
    (gradient, *_) = torch.autograd.grad(loss, list(network.parameters()), create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward([gradient.square().sum()])


def test_many_points_are_left_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of more bytes than are kept take PyTorch's own memory."""
    network = net()
    num_values = 64 + 80 + 3
    monkeypatch.setattr("bitfold.networks.kept_layers._MOST_BYTES", 4 * 100 * num_values)
    # Nodes have no names without their outputs in PyTorch 2.9.
    outputs = [CompiledNet(network)(points(number)) for number in (100, 101)]
    nodes = [item.grad_fn for item in outputs]
    assert [node is not None and node.name() == NODE for node in nodes] == [True, False]


def test_outputs_and_biases_may_change_before_the_gradient() -> None:
    """As PyTorch's own layers, a pass needs neither."""
    network = net()
    expected = gradients(network, network(points(30)))
    outputs = CompiledNet(network)(points(30))
    with torch.no_grad():
        network.layers[0].bias.add_(1)  # type: ignore[operator]
    weights = torch.rand(outputs.shape, generator=torch.Generator().manual_seed(2)) - 0.5
    loss = (outputs.sub_(1) * weights).sum()
    assert same(list(torch.autograd.grad(loss, list(network.parameters()))), expected)


def test_frozen_weights_get_no_gradient() -> None:
    """The others get the same."""
    network = net()
    last = network.layers[4]
    assert isinstance(last, nn.Linear)
    expected = gradients(network, network(points(30)))
    last.weight.requires_grad_(False)
    loss = CompiledNet(network)(points(30))
    learning = [p for p in network.parameters() if p.requires_grad]
    weights = torch.rand(loss.shape, generator=torch.Generator().manual_seed(2)) - 0.5
    found = torch.autograd.grad((loss * weights).sum(), learning)
    assert last.weight.grad is None
    assert same(list(found), [*expected[:4], expected[5]])


def test_autocast_is_left_to_the_network() -> None:
    """Layers then compute in another type."""
    network = net()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = CompiledNet(network)(points(30))
        assert outputs.dtype == torch.bfloat16
        assert torch.equal(outputs, network(points(30)))


def test_few_rooms_are_kept() -> None:
    """Many graphs at once do not leave their memory behind."""
    layers = KeptLayers([0.0, 1.0])
    parameters = [torch.rand(s, requires_grad=True) for s in ((64, 2), (64,), (1, 64), (1,))]
    graphs = [layers(points(10), parameters) for _ in range(5)]
    del graphs
    assert len(layers._free) == 2


def test_hooks_of_all_modules_see_each_layer() -> None:
    """The network itself computes then."""
    seen: list[str] = []
    hook = register_module_forward_hook(lambda module, *_: seen.append(type(module).__name__))
    try:
        CompiledNet(net())(points(30))
    finally:
        hook.remove()
    assert seen.count("Linear") == 3
