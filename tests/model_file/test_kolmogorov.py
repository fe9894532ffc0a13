"""A file holds exactly what a Kolmogorov loss describes, in the bits that it counts."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import bitfold
from bitfold.kolmogorov import KolmogorovLoss, PerTensorPredictor, RowColumnPredictor, fit_predictor
from tests.model_file.model_files import (
    all_shapes,
    assert_same_state,
    round_trip,
    scrambled,
    write_checked,
)


@pytest.mark.parametrize("weight_range", ["auto", (-0.6, 0.5)])
@pytest.mark.parametrize("predictor", ["per_tensor", "row_column"])
@pytest.mark.parametrize("distribution", ["laplace", "logistic"])
@pytest.mark.parametrize("rest_bits", [16, 32])
def test_a_file_holds_what_the_loss_describes(
    tmp_path: Path, predictor: str, distribution: str, weight_range: Any, rest_bits: int
) -> None:
    """It is read as the loss's decoded state, and its size is that of the counted bits."""
    module = all_shapes()
    kind = PerTensorPredictor if predictor == "per_tensor" else RowColumnPredictor
    loss = KolmogorovLoss(
        module,
        predictor=kind(distribution),
        weight_range=weight_range,
        rest_bits=rest_bits,
        exclude="6.*",
    )
    found = round_trip(tmp_path / "net.bitfold", module, loss)
    assert_same_state(found, loss.decoded_state())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("weight_range", ["auto", (-0.6, 0.5)])
def test_other_types_are_read_as_they_are_decoded(
    tmp_path: Path, dtype: Any, weight_range: Any
) -> None:
    """A module in another type gets the loss's decoded state in that type."""
    module = nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 3)).to(dtype)
    loss = KolmogorovLoss(module, weight_range=weight_range)
    found = round_trip(tmp_path / "net.bitfold", module, loss)
    assert_same_state(found, loss.decoded_state())


@pytest.mark.parametrize("precision", [3, 5, 8, 16, 32])
def test_the_predictor_is_sent_in_the_precision_that_is_counted(
    tmp_path: Path, precision: int
) -> None:
    """A coarse predictor takes fewer bits, in the count and in the file."""
    torch.manual_seed(0)
    module = nn.Linear(60, 40)
    loss = KolmogorovLoss(module, predictor_bits=precision)
    info = write_checked(tmp_path / "net.bitfold", module, loss)
    bits = {item.name: item.bits for item in info.items}
    assert bits["predictor"] == pytest.approx(loss.bits().items["predictor"], rel=0.01)
    fine = KolmogorovLoss(module).bits().items["predictor"]
    assert (bits["predictor"] < 0.9 * fine) == (precision < 8)


def test_each_tensor_takes_the_bits_that_the_report_says(tmp_path: Path) -> None:
    """The loss's report and the file's items agree tensor by tensor."""
    module = all_shapes()
    loss = KolmogorovLoss(module)
    info = write_checked(tmp_path / "net.bitfold", module, loss)
    bits = {item.name: item.bits for item in info.items}
    for row in loss.report().rows:
        assert bits[row.name] == pytest.approx(row.bits, abs=3)
    assert bits["steps"] == pytest.approx(loss.bits().items["ranges"], abs=4)


def test_empty_rows_and_columns_cost_next_to_nothing(tmp_path: Path) -> None:
    """Rows and columns of zeros add little to the file of the others."""
    torch.manual_seed(0)
    small, large = nn.Linear(100, 60, bias=False), nn.Linear(784, 300, bias=False)
    with torch.no_grad():
        large.weight.zero_()
        large.weight[::5, :100] = small.weight
    sizes = []
    for module in (small, large):
        loss = KolmogorovLoss(module, bins=255, weight_range=(-0.2, 0.2))
        fit_predictor(loss)
        info = write_checked(tmp_path / "net.bitfold", module, loss)
        sizes.append(info.num_bytes)
    assert sizes[1] < sizes[0] + 200
    assert info.items[-1].num_dead == 240


def test_a_polytope_net_is_rebuilt(tmp_path: Path) -> None:
    """The file alone rebuilds a PolytopeNet, and has a short header."""
    shape = [10, 10, 7, 12]
    network = bitfold.PolytopeNet(2, shape, 3, "abs", "sigmoid")
    loss = KolmogorovLoss(network, predictor="per_tensor")
    info = write_checked(tmp_path / "net.bitfold", network, loss)
    random = torch.random.get_rng_state()
    found = bitfold.read_model(tmp_path / "net.bitfold")
    assert torch.equal(random, torch.random.get_rng_state())
    assert repr(found) == repr(network)
    assert_same_state(found, loss.decoded_state())
    sizes = {item.name: item.bits / 8 for item in info.items}
    assert sum(sizes[name] for name in ("header", "coder", "recipe", "methods")) < 20
    into = bitfold.read_model(tmp_path / "net.bitfold", into=scrambled(network))
    assert_same_state(into, loss.decoded_state())


def test_tied_weights_and_submodules_are_read_once(tmp_path: Path) -> None:
    """A tensor that a module has under two names is written once and read under both."""
    tied = nn.Linear(4, 4)
    module = nn.Sequential(tied, nn.BatchNorm1d(4), tied)
    loss = KolmogorovLoss(module)
    found = round_trip(tmp_path / "net.bitfold", module, loss)
    assert found.get_submodule("0").weight is found.get_submodule("2").weight
    assert_same_state(found, loss.decoded_state())


def test_absent_tensors_stay(tmp_path: Path) -> None:
    """With rest_bits=0 the file has no undescribed tensors, and the module keeps its own."""
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    loss = KolmogorovLoss(module, rest_bits=0, exclude="1.*")
    found = round_trip(tmp_path / "net.bitfold", module, loss)
    assert found.get_buffer("1.running_mean").tolist() == [7.0] * 4
    assert torch.equal(found.get_parameter("0.weight"), loss.decoded_state()["0.weight"])


def test_a_trained_network_decodes_to_what_the_loss_decodes(tmp_path: Path) -> None:
    """After training and fitting, the file's network is the loss's decoded state."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 2))
    loss = KolmogorovLoss(module)
    points = torch.randn(200, 6)
    optimizer = torch.optim.Adam([*module.parameters(), *loss.parameters()], lr=0.01)
    before = write_checked(tmp_path / "net.bitfold", module, loss).num_bytes
    for _ in range(150):
        optimizer.zero_grad()
        (nn.functional.cross_entropy(module(points), (points[:, 0] > 0).long()) + loss()).backward()
        optimizer.step()
    fit_predictor(loss)
    expected = loss.decoded_state()
    assert_same_state(round_trip(tmp_path / "net.bitfold", module, loss), expected)
    assert (tmp_path / "net.bitfold").stat().st_size < 0.6 * before


def test_a_loss_of_another_module_is_refused(tmp_path: Path) -> None:
    """The file of another module, or of weights that are not finite, is refused."""
    module = nn.Linear(3, 3)
    loss = KolmogorovLoss(module)
    with pytest.raises(bitfold.ModelFileError, match="of another"):
        bitfold.write_model(tmp_path / "net.bitfold", copy.deepcopy(module), loss)
    with torch.no_grad():
        module.weight[0, 0] = float("nan")
    with pytest.raises(bitfold.ModelFileError, match="finite"):
        bitfold.write_model(tmp_path / "net.bitfold", module, loss)
    assert not list(tmp_path.iterdir())
