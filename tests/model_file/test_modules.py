"""Tests of files written without a loss."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import bitfold
from bitfold.model_file.encoding import encoded
from bitfold.model_file.planning.grids import own_grid
from bitfold.model_file.syntax.plan import CONTEXT, Plan, TensorPlan
from bitfold.model_file.syntax.structure import tensors_of
from tests.model_file.model_files import assert_same_state, round_trip, scrambled, write_checked


def a_module() -> nn.Module:
    """Return layers of many kinds, with integer and other buffers."""
    torch.manual_seed(3)
    module = nn.ModuleDict(
        {
            "conv": nn.Conv2d(3, 8, 3),
            "norm": nn.BatchNorm2d(8),
            "back": nn.ConvTranspose1d(8, 4, 3),
            "dense": nn.Linear(40, 30),
            "attention": nn.MultiheadAttention(8, 2),
            "scalar": nn.PReLU(),
        }
    )
    module.register_buffer("mask", torch.rand(4, 5) > 0.5)
    module.register_buffer("none", torch.zeros(0, 3))
    module.register_buffer("phases", torch.randn(6, dtype=torch.complex64))
    module.register_buffer("scratch", torch.randn(6), persistent=False)
    return module


def error_of(found: nn.Module, module: nn.Module) -> float:
    """Return the root mean square of all matrices' errors over that of their weights."""
    pairs = list(zip(found.parameters(), module.parameters(), strict=True))
    errors = [(one - two).detach().flatten() for one, two in pairs if one.ndim > 1]
    weights = [two.detach().flatten() for _, two in pairs if two.ndim > 1]
    return float(torch.cat(errors).norm() / torch.cat(weights).norm())


@pytest.mark.parametrize("tolerance", [0.3, 0.03, 0.003])
def test_rounding_errors_are_as_large_as_asked(tmp_path: Path, tolerance: float) -> None:
    """The root mean square error over the weights' is the tolerance; vectors are more exact."""
    module = a_module()
    found = round_trip(tmp_path / "net.bitfold", module, tolerance=tolerance)
    assert error_of(found, module) == pytest.approx(tolerance, rel=0.15)
    bias, own = found.get_parameter("dense.bias"), module.get_parameter("dense.bias")
    assert (bias - own).norm() / own.norm() < 0.2 * tolerance
    for name, buffer in module.named_buffers():
        if name != "scratch":
            assert torch.equal(dict(found.named_buffers())[name], buffer)


def test_without_tolerance_everything_is_kept(tmp_path: Path) -> None:
    """At a tolerance of 0 each number is read exactly."""
    module = a_module()
    assert_same_state(round_trip(tmp_path / "a", module, tolerance=0), module.state_dict())


def test_what_is_no_number_is_kept(tmp_path: Path) -> None:
    """A module with NaN and infinite weights is written, and they are read back."""
    module = nn.Linear(3, 2)
    with torch.no_grad():
        module.weight[0] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    found = round_trip(tmp_path / "net.bitfold", module)
    assert torch.equal(
        found.get_parameter("weight").view(torch.int32), module.weight.view(torch.int32)
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_too_large_for_a_type_are_refused(
    dtype: torch.dtype, sign: int, tmp_path: Path
) -> None:
    """A module whose type does not hold a file's numbers stays as it is; float64 holds them."""
    path, step = tmp_path / "large.bitfold", float(np.float32(torch.finfo(dtype).max / 4))
    narrow = nn.Linear(4, 2, dtype=dtype)
    numbers = {"weight": sign * np.arange(-2, 6), "bias": np.array([1, -1])}
    plan = Plan(
        [TensorPlan(item, CONTEXT, numbers[item.name], step=step) for item, _ in tensors_of(narrow)]
    )
    path.write_bytes(encoded(narrow, plan))
    wide = bitfold.read_model(path, into=nn.Linear(4, 2, dtype=torch.float64))
    assert wide.get_parameter("weight").flatten().tolist() == (numbers["weight"] * step).tolist()
    before = copy.deepcopy(narrow.state_dict())
    with pytest.raises(bitfold.ModelFileError, match="expected numbers that fit"):
        bitfold.read_model(path, into=narrow)
    assert_same_state(narrow, before)


@pytest.mark.parametrize("levels", [1, 7, 127, 1000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_quantised_weights_are_kept_exactly(tmp_path: Path, levels: int, dtype: Any) -> None:
    """Weights that are multiples of a step are recognised and read exactly, for any step."""
    torch.manual_seed(levels)
    module = nn.Linear(50, 40).to(dtype)
    levels = min(levels, {torch.float32: 1000, torch.bfloat16: 100, torch.float16: 1000}[dtype])
    with torch.no_grad():
        for item in module.parameters():
            step = item.float().abs().max() / levels
            item.copy_((item.float() / step).round() * step)
    if dtype == torch.float32:
        info = write_checked(tmp_path / "net.bitfold", module)
        assert info.num_bytes < (levels.bit_length() + 2) * 2040 / 8
    found = round_trip(tmp_path / "net.bitfold", module, tolerance=0)
    assert_same_state(found, module.state_dict())


def test_no_grid_is_seen_where_there_is_none() -> None:
    """Random numbers are not taken for quantised ones."""
    for seed in range(50):
        values = torch.randn(30, generator=torch.Generator().manual_seed(seed)).numpy()
        assert own_grid(values) is None


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.05])
def test_a_size_is_met(tmp_path: Path, share: float) -> None:
    """A file of a given size is nearly that long, and a larger file is more exact."""
    module = nn.Sequential(nn.Linear(40, 30), nn.Linear(30, 20))
    exact = write_checked(tmp_path / "net.bitfold", module, tolerance=0).num_bytes
    wanted = int(share * exact)
    info = write_checked(tmp_path / "net.bitfold", module, num_bytes=wanted)
    assert 0.97 * wanted - 8 < info.num_bytes <= wanted


def test_a_module_without_tensors_is_refused(tmp_path: Path) -> None:
    """A module without tensors, like an empty mapping, is refused in one line."""
    empty: list[Any] = [nn.ReLU(), nn.Sequential(), {}]
    for given in empty:
        with pytest.raises(bitfold.ModelFileError, match=r"nothing to write|one ten") as caught:
            bitfold.write_model(tmp_path / "a.bitfold", given)
        assert "\n" not in str(caught.value)


def test_a_size_that_is_too_small_is_refused(tmp_path: Path) -> None:
    """A size below the smallest is refused with the smallest size, and no file is written."""
    with pytest.raises(bitfold.ModelFileError, match=r"expected at least about \d+, the"):
        bitfold.write_model(tmp_path / "net.bitfold", nn.BatchNorm1d(16), num_bytes=20)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options",
    [
        {"tolerance": -1},
        {"tolerance": float("nan")},
        {"tolerance": 0.1, "num_bytes": 10},
        {"num_bytes": 0},
        {"rest_bits": 8},
    ],
)
def test_options_out_of_bounds_are_refused(tmp_path: Path, options: Any) -> None:
    """With an error that says what to pass."""
    with pytest.raises(bitfold.ModelFileError, match=r"expected .*, got"):
        bitfold.write_model(tmp_path / "net.bitfold", nn.Linear(2, 2), **options)


def test_the_shortest_code_is_chosen(tmp_path: Path) -> None:
    """Scales of rows and columns, clusters, many in clusters, one scale: each gets its code."""
    torch.manual_seed(0)
    rowed, clustered, plain = (nn.Linear(200, 200, bias=False) for _ in range(3))
    large = nn.Linear(300, 300, bias=False)
    with torch.no_grad():
        sizes = torch.linspace(-2, 2, 200).exp()[torch.randperm(200)]
        rowed.weight.normal_().mul_(sizes).mul_(sizes.unsqueeze(1))
        for one, count in ((clustered, 20), (large, 30)):
            used = torch.rand(count, count).gt(0.7).repeat_interleave(10, 0).repeat(1, 10)
            one.weight.normal_().mul_(used)
        plain.weight.copy_(torch.distributions.Laplace(0, 1).sample((200, 200)))
    found = {}
    given = {"rowed": rowed, "clustered": clustered, "large": large, "plain": plain}
    for name, module in given.items():
        info = write_checked(tmp_path / "net.bitfold", module, tolerance=0.1)
        found[name] = info.items[-1].method
    assert found == {
        "rowed": "rows and columns",
        "clustered": "mixed predictions",
        "large": "context",
        "plain": "one scale",
    }


def test_zero_rows_and_columns_cost_next_to_nothing(tmp_path: Path) -> None:
    """A network that is empty but for a corner takes little more than the corner."""
    torch.manual_seed(0)
    small, large = nn.Linear(30, 20, bias=False), nn.Linear(784, 300, bias=False)
    with torch.no_grad():
        small.weight.copy_((small.weight * 60).round())
        large.weight.zero_()
        large.weight[100:120, 50:80] = small.weight
    sizes = [write_checked(tmp_path / "a", module).num_bytes for module in (small, large)]
    assert sizes[1] < sizes[0] + 30
    found = round_trip(tmp_path / "net.bitfold", large)
    assert torch.equal(found.get_parameter("weight"), large.weight)


def test_a_module_of_another_structure_is_refused(tmp_path: Path) -> None:
    """Another structure is refused by its hash; with names the error lists the difference."""
    path, module = tmp_path / "net.bitfold", nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 3))
    write_checked(path, module)
    before = copy.deepcopy(other.state_dict())
    with pytest.raises(bitfold.ModelFileError, match="names=True"):
        bitfold.read_model(path, into=other)
    write_checked(path, module, names=True)
    with pytest.raises(bitfold.ModelFileError, match=r"1\.weight 2x4 real, got 1\.weight 3x4 real"):
        bitfold.read_model(path, into=other)
    assert_same_state(other, before)
    network = bitfold.PolytopeNet(2, [4], 1)
    write_checked(path, network)
    with pytest.raises(bitfold.ModelFileError, match=r"layers\.0\.weight"):
        bitfold.read_model(path, into=other)
    with pytest.raises(bitfold.ModelFileError, match="into=module"):
        write_checked(path, module)
        bitfold.read_model(path)


def test_a_network_that_was_changed_is_not_rebuilt_as_it_was(tmp_path: Path) -> None:
    """A PolytopeNet with an added part must be given to the reader."""
    network = bitfold.PolytopeNet(2, [4], 1)
    network.register_buffer("more", torch.ones(2))
    found = round_trip(tmp_path / "net.bitfold", network, tolerance=0)
    assert_same_state(found, network.state_dict())
    with pytest.raises(bitfold.ModelFileError, match="into=module"):
        bitfold.read_model(tmp_path / "net.bitfold")


def test_long_streams_are_cut_into_segments(tmp_path: Path) -> None:
    """A module of more symbols than a segment holds is read as it was written."""
    torch.manual_seed(0)
    module = nn.Linear(1100, 1000)
    found = round_trip(tmp_path / "net.bitfold", module, tolerance=0)
    assert_same_state(found, module.state_dict())


def test_a_writer_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If writing fails, the old file stays."""
    path = tmp_path / "net.bitfold"
    write_checked(path, nn.Linear(3, 3))
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(bitfold.ModelFileError, match="No space left"):
        bitfold.write_model(path, nn.Linear(5, 5))
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["net.bitfold"]


def test_the_random_state_and_the_module_stay(tmp_path: Path) -> None:
    """Writing and reading leave the random state and the module unchanged."""
    module = a_module()
    before, random = copy.deepcopy(module.state_dict()), torch.random.get_rng_state()
    bitfold.write_model(tmp_path / "net.bitfold", module)
    bitfold.read_model(tmp_path / "net.bitfold", into=scrambled(module))
    assert_same_state(module, before)
    assert torch.equal(random, torch.random.get_rng_state())
