"""Tests of rounding without inputs, and of the guess of what it will take."""

from pathlib import Path

import pytest
import torch
from torch import nn

import bitfold
from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.guess import guessed_bits, sample_of
from bitfold.model_file.calibrated.search import first_within
from bitfold.model_file.calibrated.unaided import UnaidedTensors
from bitfold.model_file.planning.automatic import Planner


def network() -> nn.Sequential:
    """Return two layers, the first one of more weights, the second one of larger weights."""
    torch.manual_seed(0)
    first, second = nn.Linear(100, 50), nn.Linear(50, 20)
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


class Vector(nn.Module):
    """A module of a single vector."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.vector = nn.Parameter(weights)


def test_vectors_alone_reach_every_size(tmp_path: Path) -> None:
    """A module of vectors takes about any size, down to the header's, with none of its weights."""
    module = Vector(torch.randn(2000, generator=torch.Generator().manual_seed(0)))
    for num_bytes in (20, 60, 300, 2000):
        size = bitfold.write_model(tmp_path / "a", module, num_bytes=num_bytes)
        assert 0.8 * num_bytes < size <= num_bytes
    with pytest.raises(ModelFileError, match="at least about 17,"):
        bitfold.write_model(tmp_path / "a", module, num_bytes=16)


@pytest.mark.parametrize("size", [1e-20, 1e-30, 1e-36, 1e-38])
def test_tiny_weights_take_the_bytes_that_they_may(size: float, tmp_path: Path) -> None:
    """Weights far below 1 get as exact a file of a size as others do."""
    weights = torch.randn(40, 30, generator=torch.Generator().manual_seed(0))
    module = nn.Linear(30, 40, bias=False)
    with torch.no_grad():
        module.weight.copy_(weights * size)
    assert 290 < bitfold.write_model(tmp_path / "a", module, num_bytes=300) <= 300
    bitfold.read_model(tmp_path / "a", into=module)
    with torch.no_grad():
        error = (module.weight.double() / size - weights).square().mean() / weights.square().mean()
    assert 0.01 < float(error) < 0.2


def test_steps_scale_with_weights() -> None:
    """A module of weights that are 2^64 times smaller has steps that are 2^64 times shorter."""
    module, rate = network(), 2.0**-17
    usual = UnaidedTensors(module, Planner(module, 32)).grids(rate)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(2.0**-64)
    small = UnaidedTensors(module, Planner(module, 32)).grids(rate)
    for name, grid in usual.items():
        assert small[name].step == grid.step * 2.0**-64


def _error(module: nn.Module, decoded: nn.Module) -> float:
    inputs = torch.randn(500, 100, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return float((module(inputs) - decoded(inputs)).square().mean())


def test_tensors_of_few_and_of_small_weights_have_shorter_steps() -> None:
    """A step grows with the root of the root mean square, and the fourth root of the size.

    Steps are fine here, so that rounding makes no weights smaller on the whole.
    """
    module = network()
    grids = UnaidedTensors(module, Planner(module, 32)).grids(2.0**-22)
    large, small = (tensor.detach() for tensor in module.parameters() if tensor.ndim == 2)
    ratio = (large.square().mean() / small.square().mean()) ** 0.25
    ratio *= (large.numel() / small.numel()) ** 0.25
    assert grids["0.weight"].step / grids["2.weight"].step == pytest.approx(float(ratio), rel=0.08)
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


def test_a_guess_looks_at_all_columns() -> None:
    """A table with one large column of 64 is guessed to take little, whatever its rows' length."""
    weights = torch.zeros(8192, 64)
    weights[:, 0] = 1000.0
    sampled = sample_of(weights, 1.0)
    assert len(sampled.values) == 4096
    assert float((sampled.values > 0).mean()) == pytest.approx(1 / 64, rel=0.3)


def test_a_guess_of_no_weights_is_nothing() -> None:
    """Tables without numbers take no bits."""
    assert guessed_bits([sample_of(torch.zeros(0), 1.0)], 0.1) == 0.0
