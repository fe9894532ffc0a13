"""Weights on a grid that misses 0, or with some numbers off it, are found and kept exactly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bitfold import KolmogorovLoss, PolytopeNet, read_model, write_model
from bitfold.model_file import model_info
from bitfold.model_file.planning.shifted_grids import shifted_grid
from tests.entropy_coding.test_value_counts import order_zero_bits


def random_network(kind: str) -> PolytopeNet:
    """Return 8,707 weights, uniform or normal, with one weight out of all ranges."""
    torch.manual_seed(0)
    network = PolytopeNet(2, "[64]*3", 3)
    with torch.no_grad():
        for item in network.parameters():
            if kind == "normal":
                item.normal_(0, 0.2)
            elif kind == "few":
                item.copy_(torch.randint(-2, 3, item.shape) / 3)
        network.get_parameter("layers.0.weight")[5, 1] = 3.7
    return network


def trained_network() -> PolytopeNet:
    """Return a small network after 300 steps of K and a task, with one weight out of range."""
    torch.manual_seed(1)
    network = PolytopeNet(2, "[24]*2", 1)
    loss = KolmogorovLoss(network, weight_range=(-1.0, 1.0), predictor="row_column")
    optimizer = torch.optim.Adam([*network.parameters(), *loss.parameters()], 0.01)
    points = torch.rand(256, 2)
    values = (points.norm(dim=1, keepdim=True) < 0.7).float()
    for _ in range(300):
        optimizer.zero_grad()
        ((network(points) - values).square().mean() + 0.003 * loss()).backward()
        optimizer.step()
    with torch.no_grad():
        network.get_parameter("layers.0.weight")[3, 0] = -2.9
    return network


@pytest.mark.parametrize("weight_range", [(-1.0, 1.0), (-1.0, 0.7), (-0.25, 0.25)])
@pytest.mark.parametrize("kind", ["uniform", "normal", "few", "trained"])
def test_one_weight_out_of_range_costs_no_tensor_its_grid(
    kind: str, weight_range: tuple[float, float], tmp_path: Path
) -> None:
    """Despite one weight out of range, tensors are exact and within 1 % of an adaptive code."""
    network = trained_network() if kind == "trained" else random_network(kind)
    loss = KolmogorovLoss(network, weight_range=weight_range, predictor="row_column")
    write_model(tmp_path / "k.bitfold", network, loss)
    decoded = read_model(tmp_path / "k.bitfold")
    width = (weight_range[1] - weight_range[0]) / 255
    for tolerance in (0, None):
        path = tmp_path / "plain.bitfold"
        write_model(path, decoded, tolerance=tolerance)
        for own, other in zip(decoded.parameters(), read_model(path).parameters(), strict=True):
            assert torch.equal(own, other)
        bits = {item.name: item.bits for item in model_info(path).items}
        for name, item in decoded.named_parameters():
            if item.dim() < 2 or item.numel() < 100:
                continue
            numbers = np.rint(item.detach().double().flatten().numpy() / width - 1e-3)
            reference = min(order_zero_bits(numbers.astype(np.int64), by) for by in (1.0, 2.0))
            assert bits[name] <= 1.01 * reference + 64, name


@pytest.mark.parametrize("kind", ["int8", "offset"])
def test_numbers_off_the_grid_are_written_one_by_one(kind: str, tmp_path: Path) -> None:
    """Three of 4,096 weights that lie on no grid are written alone, and all come back."""
    torch.manual_seed(0)
    module, read = nn.Linear(64, 64), nn.Linear(64, 64)
    with torch.no_grad():
        numbers = torch.randint(-127, 128, (64, 64)).double()
        module.weight.copy_(numbers * 0.0123 + (0.004 if kind == "offset" else 0))
        clean = write_model(tmp_path / "a.bitfold", module, tolerance=0)
        module.weight[3, :3] = torch.tensor([torch.pi, -1e-3 / 7, 41.23])
    size = write_model(tmp_path / "a.bitfold", module, tolerance=0)
    assert size <= clean + 3 * 8 + 16
    assert clean < 4096 + 256 + 150  # about 8 bits each, plus biases of 32 bits
    read_model(tmp_path / "a.bitfold", into=read)
    assert torch.equal(read.weight, module.weight)


def test_no_grid_is_seen_in_weights_that_have_none() -> None:
    """Random numbers, also few or in a narrow range, are not taken for a grid."""
    chance = np.random.default_rng(0)
    for count in (16, 50, 1000, 50_000):
        for scale in (1e-8, 1.0, 1e6):
            values = (scale * chance.normal(size=count)).astype(np.float32)
            assert shifted_grid(values) is None
            assert shifted_grid(values, [(scale * 2.0**-30, 0.0)]) is None
    assert shifted_grid(np.zeros(40, np.float32) + np.float32(0.1)) is None


def test_a_known_grid_is_taken_where_it_fits() -> None:
    """Tensors that share a step share it bit for bit, so that a file repeats it in one bit."""
    step, offset = 2.0 / 255, 1.0 / 255
    for seed in range(5):
        numbers = np.random.default_rng(seed).integers(-99, 100, 300)
        values = (numbers * step + offset).astype(np.float32)
        found = shifted_grid(values, [(0.5, 0.0), (step, offset)])
        assert found is not None
        assert (found.step, found.offset) == (step, offset)
        assert found.numbers.tolist() == numbers.tolist()
