"""Directions of weight_norm never decode as zeros; lengthening them changes no output."""

import copy
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.fitting.finishing import finish, prune_dead
from bitfold.kolmogorov.grid.directions import directions, lengthen_directions
from bitfold.model_file import read_model, write_model


def normed(form: str, dimension: int | None) -> Any:
    """Return two layers, the first with a direction that is too short in two slices."""
    torch.manual_seed(0)
    first = nn.Linear(6, 8)
    if form == "parametrised":
        parametrizations.weight_norm(first, dim=dimension)  # type: ignore[arg-type]
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            nn.utils.weight_norm(first, dim=dimension)  # type: ignore[arg-type]
    return nn.Sequential(first, nn.ReLU(), nn.Linear(8, 3))


@pytest.mark.parametrize("form", ["parametrised", "hooked"])
@pytest.mark.parametrize("dimension", [0, 1, None])
def test_short_directions_get_longer_and_compute_the_same(form: str, dimension: int | None) -> None:
    """Only slices that would decode as zeros are scaled, each by one factor; outputs stay."""
    network = normed(form, dimension)
    loss = KolmogorovLoss(network, quantise="learned")
    ((direction, found),) = directions(network)
    assert found == (-1 if dimension is None else dimension)
    with torch.no_grad():
        slices = direction.unbind(found) if dimension is not None else [direction]
        for short in slices[:2]:
            short.mul_(1e-5)
    before, points = direction.detach().clone(), torch.randn(50, 6)
    expected = network(points)
    lengthen_directions(loss.table, loss.weight_range)
    assert torch.allclose(network(points), expected, atol=1e-6)
    ratio = direction.detach() / before
    of_slices = ratio.unbind(found) if dimension is not None else [ratio]
    assert all(torch.allclose(one, one.flatten()[0]) for one in of_slices)
    assert of_slices[0].flatten()[0] > 100
    with loss.quantised():
        assert network(points).isfinite().all()
    assert lengthen_directions(loss.table, loss.weight_range) == 0


def test_files_finished_and_pruned_networks_have_directions_too(tmp_path: Path) -> None:
    """After fitting, finishing or pruning, and from a file, directions give finite numbers."""
    network = normed("parametrised", 0)
    loss = KolmogorovLoss(network, quantise="learned")
    points = torch.randn(50, 6)
    ((direction, _),) = directions(network)
    with torch.no_grad():
        direction[1:4].mul_(1e-4)
        network[2].weight[:, 5] = 0
    prune_dead(loss, (network(points).square().mean() for _ in range(1)))
    finish(loss)
    with torch.no_grad():
        direction[4].mul_(1e-4)
    write_model(tmp_path / "a.bitfold", network, loss)
    read = read_model(tmp_path / "a.bitfold", into=copy.deepcopy(network))
    assert read(points).isfinite().all()
    for name, item in read.state_dict().items():
        assert torch.equal(item, loss.decoded_state()[name]), name


def test_a_direction_of_zeros_stays() -> None:
    """A direction of zeros stays zero, and no division by 0 occurs."""
    network = normed("parametrised", 0)
    loss = KolmogorovLoss(network, quantise="learned")
    ((direction, _),) = directions(network)
    with torch.no_grad():
        direction[0] = 0
        assert lengthen_directions(loss.table, loss.weight_range) >= 0
        assert not direction[0].any()
        assert direction.isfinite().all()
