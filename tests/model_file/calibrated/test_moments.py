"""Tests of second moments of a module's layers."""

import pytest
import torch
from torch import nn

from bitfold.model_file.calibrated.batches import Calibration
from bitfold.model_file.calibrated.moments import observe


def test_moments_predict_what_a_change_does() -> None:
    """For one layer, the moments predict the mean square of the outputs' change."""
    torch.manual_seed(0)
    layer, inputs = nn.Linear(6, 4), torch.randn(512, 6) @ torch.randn(6, 6)
    found = observe(layer, Calibration(list(inputs.chunk(5))))
    moments = found.layers[id(layer.weight)]
    change = torch.randn(4, 7)
    told = torch.einsum("o,oi,ij,oj->", moments.outputs, change, moments.inputs, change)
    true = (inputs @ change[:, :6].T + change[:, 6]).square().sum(1).mean()
    assert told.item() == pytest.approx(true.item(), rel=0.15)
    assert found.power == pytest.approx(layer(inputs).square().sum(1).mean().item(), rel=1e-4)


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (1, 2, 2)])
def test_a_convolution_is_a_linear_layer_at_many_places(
    stride: int, padding: int, dilation: int
) -> None:
    """A convolution's columns times its weights are its outputs, so their moments agree."""
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, 3, stride, padding, dilation)
    inputs = torch.randn(20, 2, 7, 7)
    moments = observe(layer, Calibration(inputs)).layers[id(layer.weight)]
    assert layer.bias is not None
    weights = torch.cat([layer.weight.flatten(1), layer.bias[:, None]], dim=1).detach()
    outputs = layer(inputs).detach().transpose(0, 1).flatten(1)
    told = weights @ moments.inputs @ weights.T
    torch.testing.assert_close(told, outputs @ outputs.T / outputs.shape[1])
    num_places = outputs.shape[1] / 20
    assert (moments.outputs / num_places).tolist() == pytest.approx([1, 1, 1], rel=0.2)


def test_slopes_are_mean_squares_of_gradients() -> None:
    """A parameter outside a layer has the mean square of the outputs' gradient."""
    scale = nn.LayerNorm(5, bias=False)
    inputs = torch.randn(400, 5)
    found = observe(scale, Calibration(list(inputs.chunk(400))))
    true = nn.functional.layer_norm(inputs, (5,)).square().mean(0)
    torch.testing.assert_close(found.slopes[id(scale.weight)], true, rtol=0.4, atol=0.0)
