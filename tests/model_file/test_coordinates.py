"""Files of the coordinate predictor hold exactly what its loss describes."""

import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings as profile
from torch import nn

import bitfold
from bitfold.entropy_coding.fixed_point.network import WholeNetwork
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.kolmogorov import CoordinatePredictor, KolmogorovLoss, fit_predictor
from bitfold.model_file import model_info
from bitfold.model_file.planning.from_kolmogorov import plan_of_kolmogorov
from bitfold.model_file.syntax.coordinates import check_readable, read_network, write_network
from bitfold.model_file.syntax.plan import COORDINATE, Plan, TensorPlan
from bitfold.model_file.syntax.structure import REAL, Item
from bitfold.training import Config
from bitfold.training.events import Event, RunEnded
from tests.model_file.model_files import (
    all_shapes,
    assert_same_state,
    round_trip,
    scrambled,
    write_checked,
)
from tests.model_file.mutations import mutated, with_checksum


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    ("weight_range", "bins"),
    [("auto", 256), ("auto", 7), ((-0.6, 0.5), 33), ((1.0, 2.0), 3000)],
)
def test_a_file_holds_what_the_loss_describes(
    tmp_path: Path, dtype: Any, weight_range: Any, bins: int
) -> None:
    """It is read as the loss's decoded state, and its size is that of the counted bits."""
    module = all_shapes(dtype)
    loss = KolmogorovLoss(
        module,
        predictor=CoordinatePredictor((4, 3)),
        bins=bins,
        weight_range=weight_range,
        exclude="6.*",
    )
    found = round_trip(tmp_path / "net.bitfold", module, loss)
    assert_same_state(found, loss.decoded_state())


@pytest.mark.parametrize("bins", [2, 3, 1024, 1025, 65_536])
def test_any_number_of_bins_can_be_coded(tmp_path: Path, bins: int) -> None:
    """Any number of bins can be coded: two with escapes, up to the most, in groups."""
    torch.manual_seed(0)
    module = nn.Linear(15, 10)
    loss = KolmogorovLoss(
        module, predictor=CoordinatePredictor((2,)), bins=bins, weight_range=(-0.1, 0.2)
    )
    found = round_trip(tmp_path / "net.bitfold", module, loss)
    assert_same_state(found, loss.decoded_state())


@pytest.mark.parametrize("precision", [2, 5, 8, 16, 32])
def test_every_item_takes_the_bits_that_are_counted(tmp_path: Path, precision: int) -> None:
    """The predictor takes the bits of its precision, and each tensor those of the report."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(30, 20), nn.Linear(20, 3))
    loss = KolmogorovLoss(
        module, predictor="coordinate", weight_range=(-0.2, 0.2), predictor_bits=precision
    )
    info = write_checked(tmp_path / "net.bitfold", module, loss)
    bits = {item.name: item for item in info.items}
    counted = loss.bits().items["predictor"]
    assert bits["predictor"].bits == pytest.approx(counted, rel=3e-3, abs=2)
    for row in loss.report().rows:
        # Near the stream's end counts are less exact, because the last states are low.
        assert bits[row.name].bits == pytest.approx(row.bits, rel=3e-3, abs=8)
        assert bits[row.name].method == "coordinate"


def test_many_weights_are_coded_in_parts(tmp_path: Path) -> None:
    """A tensor of more weights than one coded part holds is read as it was written."""
    torch.manual_seed(0)
    module = nn.Linear(410, 200)
    loss = KolmogorovLoss(module, predictor=CoordinatePredictor((3,)), bins=16)
    found = round_trip(tmp_path / "net.bitfold", module, loss)
    assert_same_state(found, loss.decoded_state())


def test_a_trained_predictor_tells_weights_apart(tmp_path: Path) -> None:
    """A file gets smaller when the predictor learns the scales of layers."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(40, 30), nn.Linear(30, 30))
    with torch.no_grad():
        module.get_parameter("0.weight").mul_(0.05)
    loss = KolmogorovLoss(
        module, predictor=CoordinatePredictor((4,)), weight_range=(-0.4, 0.4), bins=64
    )
    sizes = [write_checked(tmp_path / "net.bitfold", module, loss).num_bytes]
    fit_predictor(loss)
    found = round_trip(tmp_path / "net.bitfold", module, loss)
    assert_same_state(found, loss.decoded_state())
    assert (tmp_path / "net.bitfold").stat().st_size < 0.8 * sizes[0]


def test_the_loss_of_a_run_can_be_written_and_read_by_itself(tmp_path: Path) -> None:
    """Training uses this predictor by default; the file alone rebuilds the network."""
    events: list[Event] = []
    config = Config(
        target="ring",
        size=24,
        shape="[6]*2",
        points=500,
        validation_points=76,
        epochs=30,
        kolmogorov_weight=0.01,
        output_dir=str(tmp_path / "run"),
    )
    bitfold.train(config, [events.append])
    (ended,) = (event for event in events if isinstance(event, RunEnded))
    network, loss = ended.network, ended.kolmogorov
    assert loss is not None
    assert isinstance(loss.predictor, CoordinatePredictor)
    write_checked(tmp_path / "net.bitfold", network, loss)
    found = bitfold.read_model(tmp_path / "net.bitfold")
    assert_same_state(found, loss.decoded_state())


@pytest.mark.parametrize("kind", ["mse", "gaussian_nll", "laplacian_nll"])
def test_other_kinds_are_refused(tmp_path: Path, kind: str) -> None:
    """A density is refused, because it has no integer frequencies."""
    module = nn.Linear(3, 3)
    loss = KolmogorovLoss(module, predictor="coordinate", kind=kind)
    with pytest.raises(bitfold.ModelFileError, match=f"of kind cross_entropy, got {kind}"):
        bitfold.write_model(tmp_path / "net.bitfold", module, loss)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """Parameters or weights that are not finite, and numbers too far out, are refused."""
    module = nn.Linear(3, 3)
    loss = KolmogorovLoss(module, predictor="coordinate", weight_range=(-1e-20, 1e-20))
    path = tmp_path / "net.bitfold"
    with pytest.raises(bitfold.ModelFileError, match=r"within 2\^50 bins"):
        bitfold.write_model(path, module, loss)
    loss = KolmogorovLoss(module, predictor="coordinate")
    with torch.no_grad():
        loss.get_parameter("predictor.head.bias")[0] = float("inf")
    with pytest.raises(bitfold.ModelFileError, match="finite parameters"):
        bitfold.write_model(path, module, loss)
    with torch.no_grad():
        loss.get_parameter("predictor.head.bias")[0] = 0
        module.weight[0, 0] = float("nan")
    with pytest.raises(bitfold.ModelFileError, match="finite weights"):
        bitfold.write_model(path, module, loss)
    assert not list(tmp_path.iterdir())


def claims(sizes: list[int], *, bins: int | None = None) -> StreamReader:
    """Return the stream of a predictor that claims hidden layers of these widths."""
    writer = StreamWriter()
    writer.write_bits(int(bins is not None), 1)
    if bins is not None:
        writer.write_bits(bins - 1, 16)
    writer.write_golomb(len(sizes) - 1, 0)
    for size in sizes[:40]:
        writer.write_golomb(size - 1, 3)
    writer.write_bits(0, 60)
    return StreamReader(writer.stream(), 0)


@pytest.mark.parametrize(
    ("sizes", "bins", "num_weights", "what"),
    [
        ([2**60], None, 100, "no code of it"),
        ([4097], None, 100, "widths up to 4096, got 4097"),
        ([5] * 33, None, 100, "at most 32 layers, got 33"),
        ([4096] * 32, None, 100, "parameters of a predictor, got 521,"),
        ([4096], 65_536, 100, "parameters of a predictor, got 268,"),
        ([5, 5], 1, 100, "2 bins or more, got 1"),
        ([100, 100], None, 2**20, "weights times parameters"),
    ],
)
def test_claimed_sizes_are_bounded_by_the_file(
    sizes: Any, bins: Any, num_weights: Any, what: str
) -> None:
    """A short file that claims too much is refused before memory or time is spent."""
    plan = Plan([TensorPlan(Item("weight", (num_weights, 1), REAL), COORDINATE)])
    reader = claims(sizes, bins=bins)
    tracemalloc.start()
    with pytest.raises(bitfold.ModelFileError, match=what) as caught:
        read_network(reader, plan)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert caught.value.offset is not None


def test_files_that_a_reader_would_refuse_are_not_written() -> None:
    """A predictor far too large for its file is refused by the writer too."""
    items = [TensorPlan(Item("weight", (2**20, 1), REAL), COORDINATE)]
    shapes = [(1000, 1), (1000,), (256, 1000), (256,)]
    tensors = tuple(torch.zeros(shape, dtype=torch.int64).numpy() for shape in shapes)
    plan = Plan(items, coordinate=WholeNetwork(tensors, (0,) * 4, 8))
    check_readable(plan, 10**6)
    with pytest.raises(bitfold.ModelFileError, match="Choose a smaller predictor_shape"):
        check_readable(plan, 1000)


def test_numbers_beyond_the_bounds_of_fixed_point_are_refused() -> None:
    """No sum that the compiled loops make can overflow, whatever a file says."""
    module = nn.Linear(3, 3)
    loss = KolmogorovLoss(module, predictor=CoordinatePredictor((2,)), bins=4)
    plan = plan_of_kolmogorov(loss)
    assert plan.coordinate is not None
    plan.coordinate.tensors[0][:] = 2**17
    plan.coordinate.tensors[0][0, 0] += 1
    writer = StreamWriter()
    write_network(writer, plan)
    with pytest.raises(bitfold.ModelFileError, match="numbers up to 131072"):
        read_network(StreamReader(writer.stream(), 0), plan)


def test_mutated_files_are_refused_or_read(tmp_path: Path) -> None:
    """Each of 1,000 changed files with a right checksum is read, or refused with a byte offset."""
    chance, path = random.Random(1), tmp_path / "net.bitfold"
    torch.manual_seed(0)
    network = bitfold.PolytopeNet(2, "[5]*2", 1)
    norm = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Linear(7, 6))
    files: list[tuple[bytes, nn.Module | None]] = []
    cases: tuple[tuple[nn.Module, nn.Module | None, dict[str, Any]], ...] = (
        (network, None, {"bins": 9}),
        (network, None, {"weight_range": (-0.2, 0.3), "bins": 9}),
        (norm, norm, {"bins": 5}),
    )
    for module, into, settings in cases:
        loss = KolmogorovLoss(module, predictor=CoordinatePredictor((3,)), **settings)
        write_checked(path, module, loss)
        files.append((path.read_bytes(), into))
    refused = 0
    num_mutated = 10 * profile().max_examples
    for number in range(num_mutated):
        data, read_into = files[number % len(files)]
        changed = with_checksum(mutated(data, chance))
        path.write_bytes(changed)
        into = None if read_into is None else scrambled(read_into)
        try:
            bitfold.read_model(path, into=into)
        except bitfold.ModelFileError as error:
            refused += 1
            assert error.offset is None or 0 <= error.offset <= len(changed)
            if into is not None:
                assert all(bool((item == 7).all()) for item in into.state_dict().values())
    assert refused > 0.9 * num_mutated
    for data, read_into in files:
        for length in range(8, len(data)):
            path.write_bytes(with_checksum(data[:length]))
            with pytest.raises(bitfold.ModelFileError):
                model_info(path, into=read_into)
