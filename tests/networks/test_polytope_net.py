"""Tests of PolytopeNet."""

from typing import cast

import pytest
import torch
from torch import nn

from bitfold.errors import ConfigError, ShapeError
from bitfold.networks import ACTIVATIONS, FINAL_ACTIVATIONS, PolytopeNet, activation_gain


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


def affine_layers(network: PolytopeNet) -> list[nn.Linear]:
    """Return every other layer of a network, from the first on."""
    return [cast(nn.Linear, layer) for layer in list(network.layers)[::2]]


def test_layers_alternate() -> None:
    """The network is a Sequential of affine layers and activations, without a final activation."""
    network = PolytopeNet(2, "[4,3]", 1, "relu", generator=generator())
    kinds = [type(layer) for layer in network.layers]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert [(x.in_features, x.out_features) for x in affine_layers(network)] == [
        (2, 4),
        (4, 3),
        (3, 1),
    ]


def test_no_hidden_layers_is_an_affine_map() -> None:
    """An empty shape leaves a single affine layer."""
    network = PolytopeNet(3, "[]", 2, generator=generator())
    assert [type(layer) for layer in network.layers] == [nn.Linear]
    assert network.num_parameters == 8


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_initialisation_is_he_normal(name: str) -> None:
    """Weights are normal with standard deviation gain / sqrt(fan_in) in all layers; biases 0.1."""
    network = PolytopeNet(200, [300, 250], 100, name, generator=generator())
    for layer in affine_layers(network):
        weights = layer.weight.detach().double()
        expected = activation_gain(name) / layer.in_features**0.5
        # Five standard errors of mean and deviation over at least 25,000 draws.
        tolerance = 5 * expected / weights.numel() ** 0.5
        assert abs(weights.mean().item()) < tolerance
        assert abs(weights.std().item() - expected) < tolerance
        assert ((weights - weights.mean()) ** 4).mean() / weights.var() ** 2 == pytest.approx(
            3, abs=0.2
        )
        assert torch.all(layer.bias == 0.1)


def test_generator_decides_and_the_global_state_stays() -> None:
    """The same generator state gives the same weights, and global random numbers are left alone."""
    before = torch.get_rng_state()
    first = PolytopeNet(2, "[10]*8", 1, generator=generator(5))
    second = PolytopeNet(2, "[10]*8", 1, generator=generator(5))
    other = PolytopeNet(2, "[10]*8", 1, generator=generator(6))
    assert torch.equal(before, torch.get_rng_state())
    weights = [affine_layers(network)[0].weight for network in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_without_generator_the_global_one_is_used() -> None:
    """Without a generator, torch.manual_seed makes the weights reproducible."""
    weights = []
    with torch.random.fork_rng():
        for _ in range(2):
            torch.manual_seed(3)
            weights.append(affine_layers(PolytopeNet(2, "[10]", 1))[0].weight)
    assert torch.equal(*weights)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("final", list(FINAL_ACTIVATIONS))
def test_values_and_gradients_are_finite(activation: str, final: str) -> None:
    """All combinations of activations give finite values and gradients, also far outside."""
    network = PolytopeNet(2, "[6]*3", 2, activation, final, generator=generator())
    points = torch.tensor([[0.0, 0.0], [1e6, -1e6], [-0.5, 0.5]], requires_grad=True)
    values = network(points)
    values.sum().backward()
    assert values.shape == (3, 2)
    assert torch.isfinite(values).all()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    assert type(network.layers[-1]) is (nn.Linear if final == "none" else type(network.layers[-1]))
    assert len(network.layers) == (7 if final == "none" else 8)


def test_state_dict_round_trip() -> None:
    """A network with another network's state gives the same outputs."""
    first = PolytopeNet(3, "[7,5]", 2, "abs", "sigmoid", generator=generator(1))
    second = PolytopeNet(3, "[7,5]", 2, "abs", "sigmoid", generator=generator(2))
    points = torch.randn(11, 3, generator=generator())
    assert not torch.equal(first(points), second(points))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(points), second(points))
    assert list(first.state_dict()) == [
        f"layers.{layer}.{what}" for layer in (0, 2, 4) for what in ("weight", "bias")
    ]


def test_too_many_parameters_are_refused_unbuilt() -> None:
    """A shape within its own bounds but with too many parameters is refused before it is built."""
    with pytest.raises(ShapeError, match=r"at most 200,000,000 parameters, got 1,095,2"):
        PolytopeNet(2, "[65536]*256", 1)


@pytest.mark.parametrize("features", [0, -1, 1.5, "2", True, None])
def test_unfit_features_are_refused(features: object) -> None:
    """Inputs and outputs must be whole numbers of at least 1."""
    with pytest.raises(ShapeError, match="in_features of at least 1"):
        PolytopeNet(features, "[2]", 1)  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(ShapeError, match="out_features of at least 1"):
        PolytopeNet(1, "[2]", features)  # type: ignore[arg-type]  # the point of the test


def test_unknown_activations_are_refused() -> None:
    """An unknown activation, hidden or final, is answered with the known ones."""
    with pytest.raises(ConfigError, match="activation 'selu': expected one of leaky_relu"):
        PolytopeNet(2, "[2]", 1, "selu")
    with pytest.raises(ConfigError, match="final activation 'tanh': expected one of none"):
        PolytopeNet(2, "[2]", 1, final_activation="tanh")


@pytest.mark.parametrize("shape", [(5, 3), (2,), (5, 2, 2)])
def test_points_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    """Points whose number of coordinates differs from the network's inputs are refused."""
    network = PolytopeNet(2, "[2]", 1, generator=generator())
    with pytest.raises(ShapeError, match=r"expected points of shape \(N, 2\)"):
        network(torch.zeros(shape))


def test_repr_names_the_network() -> None:
    """The repr contains the arguments that build the same network."""
    network = PolytopeNet(2, [10] * 8, 3, "abs", generator=generator())
    assert "2, '[10]*8', 3, activation='abs', final_activation='none'" in repr(network)
