"""A damaged or hostile file is refused in every case."""

import os
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings as profile
from torch import nn

import bitfold
from bitfold.entropy_coding.streams import StreamWriter
from bitfold.model_file import model_info
from bitfold.model_file.syntax.header import MAGIC
from tests.model_file.make_golden import shifted
from tests.model_file.model_files import assert_same_state, scrambled, write_checked
from tests.model_file.mutations import mutated, with_checksum

#: 400 in `make test`, 2,000 in `make test-all`.
NUM_MUTATED = 20 * profile().max_examples


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, nn.Module | None]]:
    """Return small files of all kinds, each with the module into which it is read."""
    path = tmp_path_factory.mktemp("files") / "net.bitfold"
    torch.manual_seed(0)
    network = bitfold.PolytopeNet(2, "[5]*3", 1)
    norm = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Linear(7, 6))
    found: list[tuple[bytes, nn.Module | None]] = []
    for module, into in ((network, None), (norm, norm)):
        for predictor in ("row_column", "per_tensor", "adaptive"):
            loss = bitfold.KolmogorovLoss(module, predictor=predictor)
            write_checked(path, module, loss, names=predictor == "per_tensor")
            found.append((path.read_bytes(), into))
        fixed = bitfold.KolmogorovLoss(module, weight_range=(-0.1, 0.2), bins=17)
        write_checked(path, module, fixed)
        found.append((path.read_bytes(), into))
        for tolerance in (0, 0.2):
            write_checked(path, module, tolerance=tolerance, names=tolerance == 0)
            found.append((path.read_bytes(), into))
    write_checked(path, shifted(), tolerance=0)
    found.append((path.read_bytes(), shifted()))
    large = nn.Linear(300, 220)  # on a trellis
    write_checked(path, large, num_bytes=1200)
    found.append((path.read_bytes(), large))
    return found


def test_mutated_files_are_refused_or_read(
    files: list[tuple[bytes, nn.Module | None]], tmp_path: Path
) -> None:
    """Each changed file with a right checksum is read, or refused with a byte offset."""
    chance, refused = random.Random(0), 0
    path = tmp_path / "net.bitfold"
    for number in range(NUM_MUTATED):
        data, module = files[number % len(files)]
        changed = with_checksum(mutated(data, chance))
        path.write_bytes(changed)
        into = None if module is None else scrambled(module)
        try:
            found = bitfold.read_model(path, into=into)
        except bitfold.ModelFileError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1
            assert error.offset is None or 0 <= error.offset <= len(changed)
            if into is not None:
                state = into.state_dict().values()
                assert all(bool((item == 7).all()) for item in state)
        else:
            assert isinstance(found, nn.Module)
    # The other changes are bits of weights, which only a checksum can notice.
    assert refused > 0.8 * NUM_MUTATED


def test_every_truncated_file_is_refused(
    files: list[tuple[bytes, nn.Module | None]], tmp_path: Path
) -> None:
    """Truncated files are refused, also with a right checksum except by rare coincidence."""
    path = tmp_path / "net.bitfold"
    read = tried = 0
    for data, module in files:
        for length in (*range(40), *range(40, len(data), 7), len(data) - 1, len(data) - 2):
            for is_right in (False, True) if length >= 7 else (False,):
                path.write_bytes(with_checksum(data[:length]) if is_right else data[:length])
                tried += is_right
                try:
                    bitfold.read_model(path, into=module)
                except bitfold.ModelFileError as error:
                    assert error.offset is None or error.offset <= length
                else:
                    # By coincidence the cut stream ends in the coder's first state.
                    assert is_right
                    read += 1
    assert tried > 500
    assert read <= tried / 200


def test_names_that_no_line_can_show_are_refused(tmp_path: Path) -> None:
    """Writer and reader refuse names that could move a cursor or imitate a message."""
    path, module = tmp_path / "net.bitfold", nn.Module()
    module.register_parameter("a\x1b[2J", nn.Parameter(torch.ones(3)))
    with pytest.raises(bitfold.ModelFileError, match="printable"):
        write_checked(path, module, names=True)
    write_checked(path, nn.Linear(2, 2), names=True)
    path.write_bytes(with_checksum(path.read_bytes().replace(b"weight", b"w\neigh")))
    with pytest.raises(bitfold.ModelFileError, match="printable") as caught:
        bitfold.read_model(path, into=nn.Linear(2, 2))
    assert caught.value.offset is not None


class Named(nn.Module):
    """A module with tensors of given names."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)


@pytest.mark.parametrize(
    ("own", "strange"),
    [
        (torch.ones(3, 3), torch.ones(3, 3, dtype=torch.complex64)),
        (torch.ones(64, dtype=torch.int64), torch.ones(64)),
    ],
)
def test_an_alias_keeps_to_the_kind_of_its_tensor(
    tmp_path: Path, own: torch.Tensor, strange: torch.Tensor
) -> None:
    """A file may name a shared tensor by its second name, but not give it another kind."""
    path, module = tmp_path / "net.bitfold", Named({"a": own, "b": own})
    write_checked(path, Named({"b": own.clone()}), names=True)
    bitfold.read_model(path, into=module)
    write_checked(path, Named({"b": strange}), names=True)
    with pytest.raises(bitfold.ModelFileError, match="expected"):
        bitfold.read_model(path, into=module)
    assert torch.equal(own, torch.ones_like(own))


def test_extended_files_are_refused(
    files: list[tuple[bytes, nn.Module | None]], tmp_path: Path
) -> None:
    """No byte may follow the stream."""
    path = tmp_path / "net.bitfold"
    for data, module in files:
        for more in (b"\0", b"\0\0", b"\xff" * 8):
            path.write_bytes(with_checksum(data + more))
            with pytest.raises(bitfold.ModelFileError):
                bitfold.read_model(path, into=module)


def test_any_changed_bit_is_noticed(
    files: list[tuple[bytes, nn.Module | None]], tmp_path: Path
) -> None:
    """A file with one changed bit and the old checksum is refused."""
    path, (data, module) = tmp_path / "net.bitfold", files[-1]
    for bit in range(0, 8 * len(data), 500 // profile().max_examples):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(bitfold.ModelFileError):
            bitfold.read_model(path, into=module)


def names_header(*numbers: int) -> bytes:
    """Return the start of a file with names and the given varints."""
    body = bytearray(4)
    for given in numbers:
        number = given
        while number > 0x7F:
            body.append(number & 0x7F | 0x80)
            number >>= 7
        body.append(number)
    return with_checksum(MAGIC + bytes([4 + 2]) + bytes(4) + body + bytes(20))


def test_claimed_sizes_are_bounded_by_the_file(tmp_path: Path) -> None:
    """Claims of 2^60 tensors or numbers reserve no memory."""
    path = tmp_path / "net.bitfold"
    hostile = [
        names_header(2**60),
        names_header(1, 2**60),
        names_header(1, 1, 65, 0, 2, 2**30, 2**30),
        names_header(1, 1, 65, 0, 2**60),
        names_header(1, 1, 65, 0, 3, 2**31, 2**31, 2**2),
        with_checksum(MAGIC + bytes([4 + 2]) + bytes(4) + bytes(4) + b"\xff" * 30),
        *(hostile_recipe(*sizes) for sizes in [(2**60, 1, 1), (2, 2**60, 1), (2, 2**11, 900)]),
    ]
    for data in hostile:
        path.write_bytes(data)
        tracemalloc.start()
        with pytest.raises(bitfold.ModelFileError, match="byte"):
            model_info(path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
        tracemalloc.stop()


def hostile_recipe(in_features: int, width: int, num_layers: int) -> bytes:
    """Return a file whose recipe claims these inputs, this width and this many layers."""
    writer = StreamWriter()
    for number, order in ((in_features - 1, 1), (0, 1), (0, 0), (0, 0), (1, 0)):
        writer.write_golomb(number, order)
    writer.write_golomb(width - 1, 3)
    writer.write_golomb(num_layers - 1, 1)
    return with_checksum(MAGIC + bytes([4 + 1]) + bytes(4) + writer.stream())


@pytest.mark.parametrize("data", [b"", b"\xb1", b"PK\x03\x04" * 10, bytes(100)])
def test_what_is_no_model_file_is_refused(tmp_path: Path, data: Any) -> None:
    """The error names the byte, also for an empty file."""
    path = tmp_path / "net.bitfold"
    path.write_bytes(data)
    with pytest.raises(bitfold.ModelFileError, match=r"at byte|another kind") as caught:
        bitfold.read_model(path)
    assert caught.value.offset in (0, len(data))


def test_a_later_version_and_a_missing_file_say_so(
    tmp_path: Path, files: list[tuple[bytes, nn.Module | None]]
) -> None:
    """A later version and a missing file have different errors."""
    path = tmp_path / "net.bitfold"
    data = bytearray(files[0][0])
    data[2] += 16
    path.write_bytes(data)
    with pytest.raises(bitfold.ModelFileError, match="version 1 to 4, got 5 at byte 2"):
        bitfold.read_model(path)
    with pytest.raises(bitfold.ModelFileError, match="No such file"):
        bitfold.read_model(tmp_path / "other.bitfold")


def test_links_lead_to_plain_files_alone(tmp_path: Path) -> None:
    """A path may be a link to a file; a link to itself, to nothing or to a folder is refused."""
    path, link, module = tmp_path / "net.bitfold", tmp_path / "link.bitfold", nn.Linear(3, 2)
    write_checked(path, module, tolerance=0)
    link.symlink_to(path)
    assert_same_state(bitfold.read_model(link, into=scrambled(module)), module.state_dict())
    for target in (link, tmp_path / "nothing", tmp_path):
        link.unlink()
        link.symlink_to(target)
        with pytest.raises(bitfold.ModelFileError, match=r"Cannot read .*Check the path"):
            bitfold.read_model(link, into=module)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no FIFOs")
def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    """A FIFO is refused, also behind a link."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    for name in ("fifo", "link"):
        with pytest.raises(bitfold.ModelFileError, match="a plain file, got a FIFO"):
            bitfold.read_model(tmp_path / name)
