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


def test_moments_of_many_inputs_are_computed_in_blocks() -> None:
    """300 inputs are more than two blocks; the part below the diagonal is that above it."""
    torch.manual_seed(0)
    layer, inputs = nn.Linear(300, 1), torch.randn(64, 300)
    found = observe(layer, Calibration([inputs])).layers[id(layer.weight)].inputs
    wide = torch.cat([inputs, torch.ones(64, 1)], 1).double()
    torch.testing.assert_close(found.double(), wide.T @ wide / 64, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (1, 2, 2)])
def test_a_convolution_is_a_linear_layer_at_many_places(
    stride: int, padding: int, dilation: int
) -> None:
    """A convolution's columns times its weights are its outputs, so their moments agree."""
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, 3, stride, padding, dilation)
    inputs = torch.randn(80, 2, 4, 4)
    moments = observe(layer, Calibration(inputs)).layers[id(layer.weight)]
    assert layer.bias is not None
    weights = torch.cat([layer.weight.flatten(1), layer.bias[:, None]], dim=1).detach()
    outputs = layer(inputs).detach().transpose(0, 1).flatten(1)
    told = weights @ moments.inputs @ weights.T
    torch.testing.assert_close(told, outputs @ outputs.T / outputs.shape[1])
    num_places = outputs.shape[1] / 80
    assert (moments.outputs / num_places).tolist() == pytest.approx([1, 1, 1], rel=0.2)


def test_slopes_are_mean_squares_of_gradients() -> None:
    """A parameter outside a layer has the mean square of the outputs' gradient."""
    scale = nn.LayerNorm(5, bias=False)
    inputs = torch.randn(400, 5)
    found = observe(scale, Calibration(list(inputs.chunk(400))))
    true = nn.functional.layer_norm(inputs, (5,)).square().mean(0)
    torch.testing.assert_close(found.slopes[id(scale.weight)], true, rtol=0.4, atol=0.0)


def test_gradients_of_what_is_changed_in_place_are_those_before() -> None:
    """A layer whose outputs an activation overwrites has the same moments as without that."""
    torch.manual_seed(0)
    first, last = nn.Linear(4, 6, bias=False), nn.Linear(6, 2)
    inputs = Calibration([torch.randn(50, 4) for _ in range(3)])
    found = [
        observe(nn.Sequential(first, nn.ReLU(inplace), last), inputs).layers[id(first.weight)]
        for inplace in (False, True)
    ]
    assert torch.equal(found[0].outputs, found[1].outputs)
    assert (found[0].outputs > 0).all()


def test_gradients_are_those_of_some_samples() -> None:
    """Of 6,000 samples, means are of all inputs, and of the gradients of 500 and one in eight."""
    layer = nn.Linear(1, 1, bias=False)
    batches = [torch.full((100, 1), float(number)) for number in range(60)]
    batch_of_gradient = list[int]()

    class Watched(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            outputs: torch.Tensor = layer(inputs)
            number = int(inputs[0])
            outputs.register_hook(lambda _: batch_of_gradient.append(number))  # type: ignore[no-untyped-call]
            return outputs

    module = Watched()
    module.layer = layer
    moments = observe(module, Calibration(batches)).layers[id(layer.weight)]
    assert moments.samples == 6000
    assert moments.inputs[0, 0].item() == pytest.approx(sum(n * n for n in range(60)) / 60)
    assert moments.outputs.item() == pytest.approx(1, rel=0.2)
    assert batch_of_gradient == [*range(5), *range(6, 60, 8)]


class Routed(nn.Module):
    """A module whose second half of batches takes another layer."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.late = nn.Linear(1, 200, bias=False), nn.Linear(1, 200, bias=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(N, 1) to (N, 200)."""
        outputs: torch.Tensor = (self.early if float(inputs[0]) < 20 else self.late)(inputs)
        return outputs


def test_a_layer_that_late_samples_alone_reach_matters_as_much() -> None:
    """Gradients are taken of a late layer too, and each counts by its share of all samples."""
    torch.manual_seed(0)
    module = Routed()
    batches = [torch.full((100, 1), float(number)) for number in range(40)]
    found = observe(module, Calibration(batches)).layers
    means = [found[id(layer.weight)].outputs.mean().item() for layer in (module.early, module.late)]
    assert means == pytest.approx([0.5, 0.5], rel=0.1)


class Placed(nn.Module):
    """A module with features of places, of which each sample looks up one."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Parameter(torch.randn(8, 300))

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        """(N,) to (N, 300)."""
        return self.features[places]


class Tabled(Placed):
    """The same by a table."""

    is_sparse = False

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        """(N,) to (N, 300)."""
        return nn.functional.embedding(places, self.features, sparse=self.is_sparse)


class Sparse(Tabled):
    """The same, with gradients that hold the rows of samples alone."""

    is_sparse = True


@pytest.mark.parametrize("kind", [Placed, Tabled, Sparse])
@pytest.mark.parametrize("size", [100, 500, 4000])
def test_features_that_late_samples_alone_reach_matter_as_much(kind: type, size: int) -> None:
    """Of a picture's points in order, those of its lower half have gradients too."""
    torch.manual_seed(0)
    module = kind()
    places = torch.arange(8).repeat_interleave(1000)
    slopes = observe(module, Calibration(list(torch.split(places, size)))).slopes[
        id(module.features)
    ]
    assert slopes.mean(1).tolist() == pytest.approx([1 / 8] * 8, rel=0.3)


class Late(nn.Module):
    """A module whose fifth batch alone takes a table; the others take a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.table = nn.Linear(1, 3), nn.Embedding(2, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(N, 1) to (N, 3)."""
        is_table = float(inputs[0]) == 4
        found: torch.Tensor = (
            self.table(inputs[:, 0].long() % 2) if is_table else self.layer(inputs)
        )
        return found


def test_a_table_that_a_late_batch_alone_reaches_matters() -> None:
    """Until a parameter is reached, gradients are taken of all samples."""
    torch.manual_seed(0)
    module = Late()
    batches = [torch.full((400, 1), float(number)) for number in range(9)]
    slopes = observe(module, Calibration(batches)).slopes[id(module.table.weight)]
    assert slopes[0].mean().item() == pytest.approx(1 / 9, rel=0.8)
