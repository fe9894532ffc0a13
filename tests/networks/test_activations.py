"""Tests of activations and their gains."""

import numpy as np
import pytest
import torch

from bitfold.errors import ConfigError
from bitfold.networks import ACTIVATIONS, FINAL_ACTIVATIONS, activation_gain


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_gain_keeps_the_second_moment(name: str) -> None:
    """The gain squared times E[f(z)^2], by Gauss-Hermite quadrature or a fine sum, is 1."""
    z = np.linspace(-12, 12, 480_001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    values = ACTIVATIONS[name]()(torch.from_numpy(z)).numpy()
    moment = np.sum(values**2 * density) * (z[1] - z[0])
    assert activation_gain(name) ** 2 * moment == pytest.approx(1, abs=1e-5)


def test_gain_of_a_kink_is_that_of_he() -> None:
    """For a leaky ReLU of slope 0.01 the gain is He's sqrt(2 / (1 + 0.01^2))."""
    assert activation_gain("leaky_relu") == pytest.approx((2 / 1.0001) ** 0.5, rel=1e-12)


def test_leaky_slope_is_a_hundredth() -> None:
    """The leaky ReLU multiplies negative numbers by 0.01, hidden and final."""
    for activation in (ACTIVATIONS["leaky_relu"](), FINAL_ACTIVATIONS["leaky_relu"]()):
        torch.testing.assert_close(
            activation(torch.tensor([-1.0, 2.0])), torch.tensor([-0.01, 2.0])
        )


def test_names_are_those_of_the_options() -> None:
    """All names exist; the defaults leaky_relu and none come first."""
    assert list(ACTIVATIONS) == ["leaky_relu", "relu", "abs", "tanh", "gelu", "sine"]
    assert list(FINAL_ACTIVATIONS) == ["none", "relu", "leaky_relu", "sigmoid"]


def test_unknown_activation_is_refused() -> None:
    """The error for an unknown name lists the known names."""
    with pytest.raises(ConfigError, match="expected one of leaky_relu, relu"):
        activation_gain("selu")


@pytest.mark.parametrize(("name", "slope"), [("leaky_relu", 0.01), ("relu", 0.0), ("abs", 0.0)])
def test_activations_have_a_slope_of_their_own_at_the_fold(name: str, slope: float) -> None:
    """PyTorch's slopes at 0 of these three activations are those that the compiled loops use."""
    leaf = torch.zeros(4, requires_grad=True)
    (found,) = torch.autograd.grad(ACTIVATIONS[name]()(leaf).sum(), leaf)
    torch.testing.assert_close(found, torch.full((4,), slope))
