"""The adaptive predictor: K is the length of the file's code, and its gradient that of the code."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bitfold
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import KolmogorovLoss, choose_predictor, finish, fit_predictor
from tests.kolmogorov.conftest import all_shapes
from tests.kolmogorov.narrowing import gradient_of

GRIDS = [
    {"quantise": "learned"},
    {"weight_range": "auto", "bins": 256},
    {"weight_range": (-0.5, 0.5), "bins": 16},
]


def loss_of(module: nn.Module, **settings: Any) -> KolmogorovLoss:
    """Return a loss with the adaptive predictor."""
    return KolmogorovLoss(module, predictor="adaptive", **settings)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_k_is_the_length_of_the_code(dtype: Any) -> None:
    """With rounded weights K is the bits of all weights, up to the dtype of the sum."""
    loss = loss_of(all_shapes(dtype), quantise="learned")
    loss.weight_range.finish()  # K takes the steps as they are, the file as they are sent
    bits = loss().item() * loss.num_weights / math.log(2)
    items = loss.bits().items
    assert bits == pytest.approx(items["weights"], rel=1e-5)
    assert items["out_of_range"] == 0
    assert items["weights"] == pytest.approx(loss.report().total.bits)
    of_weights = sum(float(item.sum()) for item in loss.weight_bits().values())
    assert of_weights == pytest.approx(items["weights"], rel=1e-6)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_file_holds_what_the_loss_describes(grid: Any, tmp_path: Path) -> None:
    """A file takes the bits that are counted, and is read as the decoded state."""
    module = all_shapes(torch.float32)
    loss, path = loss_of(module, **grid), tmp_path / "net.bitfold"
    num_bytes = bitfold.write_model(path, module, loss)
    # Magic bytes, version, checksum and hash, the coder's state, and the methods of tensors.
    assert 8 * num_bytes == pytest.approx(loss.bits().total, abs=8 * (11 + 6 + 4))
    found = bitfold.read_model(path, into=all_shapes(torch.float32)).state_dict()
    for name, item in loss.decoded_state().items():
        assert torch.equal(found[name], item), name


@pytest.mark.parametrize("targets", ["linear", "soft"])
def test_the_gradient_is_that_of_fixed_predictions(targets: str) -> None:
    """It is the finite difference of the costs of bins, with the predictions of each left as they
    are; but for the first numbers, which are smaller than is usual so far.
    """
    module = all_shapes(torch.float64)
    loss = loss_of(module, targets=targets, temperature=0.5, weight_range=(-2.0, 2.0), bins=5)
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():  # away from the bins' centres, where K has a kink
        for item in module.parameters():
            item.copy_(torch.rand(item.shape, generator=chance) * 2.8 - 1.4)
    loss().backward()
    found = torch.cat([gradient_of(item).flatten() for item in module.parameters()])
    weights, step = loss.table.flatten().detach(), 1e-6
    expected = (shared(loss, weights + step) - shared(loss, weights - step)) / (2 * step)
    is_alike = torch.isclose(found * loss.num_weights, expected, rtol=1e-5, atol=1e-6)
    tables = torch.cat([torch.full((item.numel(),), item.ndim) for item in module.parameters()]) > 1
    assert is_alike[tables][77:].all()
    assert not is_alike[:10].all()
    assert found.abs().min() > 0


@torch.no_grad()
def shared(loss: KolmogorovLoss, weights: Tensor) -> Tensor:
    """Return the cost of each weight, predicted as in the loss's last call."""
    bins, shares, _ = loss.targets.shares(loss.bins.continuous_index(weights))
    nats: Tensor = (shares * loss.predictor(loss.subsampling.all_weights(), bins)).sum(0)
    return nats


def test_far_from_0_the_slope_is_that_of_an_octave() -> None:
    """The slopes between 8 and 16 add up to the difference of the costs of 8 and 16."""
    module = nn.Linear(20, 30, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.randint(-16, 17, (30, 20)))
    loss = loss_of(module, targets="linear", weight_range=(-32.0, 31.0), bins=64)
    first = module.weight[3, 4].item()
    loss()
    subset = loss.subsampling.all_weights()
    low, high = (
        loss.predictor(subset, torch.full((1, 600), 32 + at))[0, 64].item() for at in (8, 16)
    )
    slopes = []
    for at in range(8, 16):
        with torch.no_grad():
            module.weight[3, 4] = first
        loss.zero_grad()
        module.zero_grad()
        with torch.no_grad():
            module.weight[3, 4] = at + 0.25
        loss().backward()
        slopes.append(gradient_of(module.weight)[3, 4].item() * 600)
    assert sum(slopes) == pytest.approx(high - low, rel=1e-4)


def test_bins_are_coded_alone_as_together() -> None:
    """The cost of some weights' bins is that of the same bins among all."""
    loss = loss_of(all_shapes(torch.float32))
    whole = loss.subsampling.all_weights()
    indices = torch.randint(120, 137, (3, loss.num_weights))
    everything = loss.predictor(whole, indices)
    for part, some in whole.split(100):
        assert torch.equal(loss.predictor(some, indices[:, part]), everything[:, part])
    assert loss.gradient_coverage() == 1


def test_training_with_it_shortens_the_file(tmp_path: Path) -> None:
    """K falls along its own gradient, through the finish and the last fit, to a shorter file."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(9, 20), nn.Tanh(), nn.Linear(20, 2))
    loss = loss_of(module, quantise="learned")
    optimizer = torch.optim.Adam([*module.parameters(), *loss.parameters()], lr=0.01)
    points = torch.randn(100, 9)
    before = loss.bits().total
    for step in range(60):
        if step == 50:
            finish(loss)
        optimizer.zero_grad()
        with loss.quantised():
            task = (module(points) - points[:, :2]).square().mean()
        (task + 0.3 * loss()).backward()
        optimizer.step()
    fit_predictor(loss)
    assert loss.bits().total < 0.8 * before
    num_bytes = bitfold.write_model(tmp_path / "net.bitfold", module, loss)
    assert 8 * num_bytes < 0.8 * before + 200


@pytest.mark.parametrize("setting", ["sample", "process_group"])
def test_parts_of_the_weights_are_refused(setting: str) -> None:
    """A sample, and a share of each process, are refused by their names."""
    part: Any = {setting: 5}
    with pytest.raises(KolmogorovError, match=f"predictor='adaptive', which .*, got a {setting}"):
        loss_of(nn.Linear(3, 3), **part)


def test_it_can_be_chosen() -> None:
    """It is tried without being asked for, and chosen where weights of rows differ much."""
    torch.manual_seed(0)
    module = nn.Linear(30, 40, bias=False)
    with torch.no_grad():
        module.weight.mul_(torch.rand(40, 1) ** 8)
    choice = choose_predictor(module)
    assert "adaptive" in [row.name for row in choice.rows]
    again = KolmogorovLoss(module, **choice.settings)
    assert again.predictor.label == choice.best.name


def test_a_number_out_of_range_costs_its_escape() -> None:
    """K of a weight out of range is that of the edge and an escape, which pulls it back; the file
    needs no escape.
    """
    module = nn.Linear(4, 4)
    loss = loss_of(module, weight_range=(-1.0, 1.0), bins=9)
    with torch.no_grad():
        module.weight[1, 1] = 5.0
    loss().backward()
    assert gradient_of(module.weight)[1, 1] > 0
    assert loss.bits().items["out_of_range"] == 0
    assert loss.decoded_state()["weight"][1, 1] == 5


def test_a_network_that_was_trained_with_scales_is_described_anew(tmp_path: Path) -> None:
    """On the grid that another loss learned it describes the same weights, in fewer bytes."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 20))
    with torch.no_grad():
        for item in module.parameters():
            item.mul_(torch.rand(len(item)).view(-1, *[1] * (item.ndim - 1)) < 0.4)
            item.mul_(torch.rand_like(item) < 0.3)
    scales = KolmogorovLoss(module, quantise="learned")
    fit_predictor(scales)
    found = choose_predictor(scales, candidates=["adaptive"]).kolmogorov
    before, after = scales.decoded_state(), found.decoded_state()
    assert all(torch.equal(before[name], after[name]) for name in before)
    sizes = [
        bitfold.write_model(tmp_path / "net.bitfold", module, loss) for loss in (scales, found)
    ]
    assert sizes[1] < 0.95 * sizes[0]


@pytest.mark.parametrize("targets", ["rounded", "linear"])
def test_tensors_are_counted_one_after_the_other(
    targets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more weights than the largest tensor has are shared among bins at a time."""
    loss = loss_of(all_shapes(torch.float64), targets=targets, weight_range=(-2.0, 2.0), bins=5)
    kind, lengths = type(loss.targets), list[int]()
    shares = kind.shares

    def watched(self: Any, index: Tensor) -> Any:
        lengths.append(len(index))
        return shares(self, index)

    monkeypatch.setattr(kind, "shares", watched)
    assert loss().isfinite()
    assert lengths == [item.numel() for item in all_shapes(torch.float64).parameters()]


def test_a_finish_leaves_eight_steps_in_an_octave(tmp_path: Path) -> None:
    """Steps move by at most a sixteenth, take about half the bits, and are those of the file."""
    torch.manual_seed(0)
    module = nn.Sequential(*(nn.Linear(8, 8) for _ in range(6)))
    loss = loss_of(module, quantise="learned")
    before, bits = loss.weight_range.steps(), loss.bits().items["ranges"]
    finish(loss)
    steps = loss.weight_range.steps(as_sent=True)
    assert steps is not None
    assert before is not None
    assert ((steps / before).log().abs() <= 0.0625 + 2.0**-8).all()
    mantissas = torch.frexp(steps)[0] * 16
    assert torch.equal(mantissas, mantissas.round())
    assert loss.bits().items["ranges"] < 0.65 * bits
    num_bytes = bitfold.write_model(tmp_path / "a", module, loss)
    assert 8 * num_bytes == pytest.approx(loss.bits().total, abs=8 * (11 + 6 + 4))
    found = bitfold.read_model(tmp_path / "a", into=copy.deepcopy(module)).state_dict()
    for name, item in loss.decoded_state().items():
        assert torch.equal(found[name], item), name
