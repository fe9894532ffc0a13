"""Compiled passes with any elementwise activation, against PyTorch in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bitfold.networks import PolytopeNet
from bitfold.networks.curve_passes import backward_curves, forward_curves
from bitfold.networks.dense import chain_of

# Polynomials err by 2e-7 of a value of size 1, like three roundings, in each of nine layers.
MOST_OFF = 9 * 1e-6


def passes_of(network: PolytopeNet, points: torch.Tensor) -> tuple[NDArray[np.float32], ...]:
    """Return outputs, and the gradient of their sum by all parameters."""
    loops = chain_of(network)
    flat = np.concatenate([p.detach().numpy().ravel() for p in network.parameters()])
    outputs = np.zeros((len(points), network.out_features), np.float32)
    room, chain = loops.room(len(points)), (flat, *loops.layout)
    forward_curves(points.numpy(), chain, room, outputs)
    found, ones = np.zeros_like(flat), np.ones_like(outputs)
    backward_curves(points.numpy(), chain, room, ones, found)
    return outputs, found


@pytest.mark.parametrize("final_activation", ["none", "sigmoid", "leaky_relu"])
@pytest.mark.parametrize("activation", ["leaky_relu", "relu", "abs", "tanh", "gelu", "sine"])
def test_passes_are_pytorchs(activation: str, final_activation: str) -> None:
    """Values and gradients agree with float64 to the precision of the polynomials."""
    generator = torch.Generator().manual_seed(1)
    network = PolytopeNet(
        2, "[11,7]*4", 3, activation, final_activation, generator=generator
    )  # odd widths have a row without a pair
    points = 4 * torch.rand(300, 2, generator=generator) - 2
    outputs, found = passes_of(network, points)
    network.double()
    exact = network(points.double())
    exact.sum().backward()
    gradients = [p.grad.numpy().ravel() for p in network.parameters() if p.grad is not None]
    wanted = np.concatenate(gradients)
    expected = exact.detach().numpy()
    assert np.abs(outputs - expected).max() <= MOST_OFF * max(1, np.abs(expected).max())
    assert np.abs(found - wanted).max() <= MOST_OFF * np.abs(wanted).max()


@pytest.mark.parametrize("activation", ["tanh", "gelu", "sine"])
def test_large_sums_stay_exact(activation: str) -> None:
    """Far from 0 each curve saturates or grows as its formula does, and NaN stays NaN."""
    network = PolytopeNet(1, "[1]", 1, activation)
    with torch.no_grad():
        for value, parameter in zip((1.0, 0.0, 1.0, 0.0), network.parameters(), strict=True):
            parameter.fill_(value)
    points = torch.tensor([[-1e4], [-89.0], [-20.0], [-1e-3], [0.0], [30.0], [1e4], [torch.nan]])
    outputs, _ = passes_of(network, points)
    expected = network.double()(points.double()).detach().numpy()
    np.testing.assert_allclose(outputs, expected, rtol=1e-6, atol=4e-7)
