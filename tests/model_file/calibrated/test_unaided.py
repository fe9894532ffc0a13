"""Tests of rounding without inputs, and of the guess of what it will take."""

from pathlib import Path

import pytest
import torch
from torch import nn

import bitfold
from bitfold.model_file.calibrated.guess import guessed_bits, sample_of
from bitfold.model_file.calibrated.search import first_within
from bitfold.model_file.calibrated.unaided import UnaidedTensors
from bitfold.model_file.planning.automatic import Planner


def network() -> nn.Sequential:
    """Return two layers, the first one of more weights, the second one of larger weights."""
    torch.manual_seed(0)
    first, second = nn.Linear(100, 50), nn.Linear(50, 10)
    with torch.no_grad():
        for part, size in ((first, 0.1), (second, 0.4)):
            laplace = torch.distributions.Laplace(0, size)
            part.weight.copy_(laplace.sample(part.weight.size()))
    return nn.Sequential(first, nn.ReLU(), second)


def test_a_size_takes_fewer_errors_than_the_nearest_bins_do(tmp_path: Path) -> None:
    """A file of a size is more exact than one of the same size by a tolerance of each tensor."""
    module, path = network(), tmp_path / "a"
    size = bitfold.write_model(path, module, tolerance=0.5)
    nearest = _error(module, bitfold.read_model(path, into=network()))
    assert bitfold.write_model(path, module, num_bytes=size) <= size
    assert _error(module, bitfold.read_model(path, into=network())) < 0.9 * nearest


def _error(module: nn.Module, decoded: nn.Module) -> float:
    inputs = torch.randn(500, 100, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return float((module(inputs) - decoded(inputs)).square().mean())


def test_tensors_of_few_and_of_small_weights_have_shorter_steps() -> None:
    """A step grows with the root of the root mean square, and the fourth root of the size."""
    module = network()
    grids = UnaidedTensors(module, Planner(module, 32)).grids(2.0**-17)
    large, small = (tensor.detach() for tensor in module.parameters() if tensor.ndim == 2)
    ratio = (large.square().mean() / small.square().mean()) ** 0.25
    ratio *= (large.numel() / small.numel()) ** 0.25
    assert grids["0.weight"].step / grids["2.weight"].step == pytest.approx(float(ratio), rel=0.02)
    assert grids["0.bias"].step < 0.6 * grids["0.weight"].step


def test_weights_on_a_coarser_grid_stay_there() -> None:
    """A grid that is coarser than the new one would be is kept."""
    module = network()
    with torch.no_grad():
        module.get_parameter("0.weight").div_(0.25).round_().mul_(0.25)
    grids = UnaidedTensors(module, Planner(module, 32)).grids(2.0**-18)
    assert grids["0.weight"].step == 0.25


@pytest.mark.parametrize("rate", [2.0**-23, 2.0**-21, 2.0**-19])
def test_the_guess_is_near_the_size_of_the_file(rate: float, tmp_path: Path) -> None:
    """The guess of a layer's bits is within a third of what rounding makes of them."""
    torch.manual_seed(0)
    module = nn.Linear(300, 200, bias=False)
    planner = Planner(module, 32)
    tensors = UnaidedTensors(module, planner)
    with torch.no_grad():
        module.weight.copy_(
            torch.from_numpy(tensors.grids(rate)["weight"].numbers).view(200, 300)
            * tensors.grids(rate)["weight"].step
        )
    size = bitfold.write_model(tmp_path / "a", module, tolerance=0)
    assert 2 / 3 < tensors.guessed_bits(rate) / (8 * size) < 3 / 2


def test_a_guess_finds_the_limit_in_few_trials() -> None:
    """A function that is a power of its guess is met after a few trials."""
    tried = []

    def value(place: float) -> float:
        tried.append(place)
        return float(700 * 2.0 ** (-0.8 * place))

    found = first_within(value, 1000.0, -20.0, 0.4, guess_of=lambda place: 2.0 ** (5 - 0.5 * place))
    assert found is not None
    assert 995 <= value(found) <= 1000
    assert len(tried) <= 5


def test_a_guess_of_no_weights_is_nothing() -> None:
    """Tables without numbers take no bits."""
    assert guessed_bits([sample_of(torch.zeros(0), 1.0)], 0.1) == 0.0
