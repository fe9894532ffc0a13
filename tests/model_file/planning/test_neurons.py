"""Tests that sorting neurons keeps the function and shortens files."""

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import bitfold
from bitfold.model_file.planning.neurons import with_sorted_neurons
from tests.model_file.model_files import scrambled


def dense(*widths: int) -> nn.Sequential:
    """Return linear layers with several activations between them and neurons of several sizes."""
    torch.manual_seed(0)
    activations = [nn.ReLU(), nn.Tanh(), nn.LeakyReLU(), nn.GELU()]
    layers: list[nn.Module] = []
    for number, (ins, outs) in enumerate(pairwise(widths)):
        layers += [nn.Linear(ins, outs, bias=number != 1), activations[number % 4]]
        with torch.no_grad():
            layers[-2].get_parameter("weight").mul_(torch.randn(outs, 1).mul(1.5).exp())
    return nn.Sequential(nn.Sequential(*layers[:3]), *layers[3:-1])


@pytest.mark.parametrize("shape", [(5, 40, 30, 2), (3, 8, 8, 8, 8, 1)])
def test_the_function_stays(shape: Any) -> None:
    """Every output is the same up to rounding, though neurons have moved."""
    module = dense(*shape).double()
    points = torch.randn(500, shape[0], dtype=torch.float64)
    found = with_sorted_neurons(module)
    assert found is not None
    assert not torch.equal(found.get_parameter("0.0.weight"), module.get_parameter("0.0.weight"))
    torch.testing.assert_close(found(points), module(points), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "abs", "tanh", "gelu", "sine", "leaky_relu"])
def test_networks_of_bitfold_stay_the_same_function(activation: str, tmp_path: Path) -> None:
    """A PolytopeNet stays the same function, also through a file that rebuilds it."""
    network = bitfold.PolytopeNet(2, [20, 30, 10], 1, activation)
    points = torch.rand(300, 2) - 0.5
    path = tmp_path / "net.bitfold"
    bitfold.write_model(path, network, tolerance=0, sort_neurons=True)
    found = bitfold.read_model(path)
    sorted_network = with_sorted_neurons(network)
    assert sorted_network is not None
    torch.testing.assert_close(sorted_network(points), network(points), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found(points), network(points), rtol=1e-4, atol=1e-5)


def test_files_are_shorter_or_as_they_were(tmp_path: Path) -> None:
    """Sorting neurons of very different sizes saves bits, and the module itself is unchanged."""
    module = dense(30, 200, 100, 10)
    before = copy.deepcopy(module.state_dict())
    sizes = [
        bitfold.write_model(
            tmp_path / str(is_sorted), module, tolerance=0.1, sort_neurons=is_sorted
        )
        for is_sorted in (False, True)
    ]
    assert sizes[1] < sizes[0] - 40
    assert all(torch.equal(item, before[name]) for name, item in module.state_dict().items())
    points = torch.randn(100, 30)
    first, second = (
        bitfold.read_model(tmp_path / name, into=scrambled(module))(points)
        for name in ("False", "True")
    )
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)
    wanted = bitfold.write_model(tmp_path / "b", module, num_bytes=9000, sort_neurons=True)
    assert 8700 < wanted <= 9000


class Peeking(nn.Sequential):
    """A sequence with a forward of its own."""

    def forward(self, points: Any) -> Any:
        """Return the sum of the first layer's first neuron and the last layer's."""
        hidden = self[0](points)
        return self[2](self[1](hidden)) + hidden[:, :1]


def unprovable() -> dict[str, nn.Module]:
    """Return modules in which other code might read the neurons."""
    tied, hooked = nn.Linear(6, 6), nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    hooked[1].register_forward_hook(lambda module, given, found: found * torch.arange(5))
    return {
        "own forward": Peeking(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1)),
        "one layer": nn.Sequential(nn.Linear(3, 5), nn.ReLU()),
        "norm between": nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.Linear(5, 2)),
        "softmax between": nn.Sequential(nn.Linear(3, 5), nn.Softmax(1), nn.Linear(5, 2)),
        "slopes between": nn.Sequential(nn.Linear(3, 5), nn.PReLU(5), nn.Linear(5, 2)),
        "tied": nn.Sequential(tied, nn.ReLU(), tied),
        "hook": hooked,
        "list": nn.ModuleList([nn.Linear(3, 5), nn.Linear(5, 2)]),
    }


@pytest.mark.parametrize("name", sorted(unprovable()))
def test_what_is_not_known_to_stay_is_left(name: Any) -> None:
    """No neuron is sorted where another order might change the function."""
    assert with_sorted_neurons(unprovable()[name]) is None
