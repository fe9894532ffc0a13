"""Tests that a damaged or hostile file is refused, whatever is wrong with it."""

import random
import tracemalloc
import zlib

import pytest
import torch
from model_files import scrambled, write_checked
from torch import nn

import bitfold
from bitfold.entropy_coding.adaptive_kernels import new_contexts, put_table
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.model_file import model_info
from bitfold.model_file.syntax.header import MAGIC

NUM_MUTATED = 2_000


def with_checksum(data: bytes) -> bytes:
    """A file whose checksum is right, so that the parser itself is reached."""
    return data[:3] + zlib.crc32(data[7:]).to_bytes(4, "little") + data[7:]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[tuple[bytes, nn.Module | None]]:
    """Small files of all sorts, and the modules to read them into."""
    path = tmp_path_factory.mktemp("files") / "net.bitfold"
    torch.manual_seed(0)
    network = bitfold.PolytopeNet(2, "[5]*3", 1)
    norm = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Linear(7, 6))
    found = []
    for module, into in ((network, None), (norm, norm)):
        for predictor in ("row_column", "per_tensor"):
            loss = bitfold.KolmogorovLoss(module, predictor=predictor)
            write_checked(path, module, loss, names=predictor == "per_tensor")
            found.append((path.read_bytes(), into))
        fixed = bitfold.KolmogorovLoss(module, weight_range=(-0.1, 0.2), bins=17)
        write_checked(path, module, fixed)
        found.append((path.read_bytes(), into))
        for tolerance in (0, 0.2):
            write_checked(path, module, tolerance=tolerance, names=tolerance == 0)
            found.append((path.read_bytes(), into))
    return found


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A file with some bytes changed, cut, added or put elsewhere."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(2, len(changed)) if len(changed) > 2 else 0
        what = chance.randrange(5)
        if what == 0 and changed:
            changed[at] ^= 1 << chance.randrange(8)
        elif what == 1 and changed:
            changed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif what == 2:
            del changed[at : at + chance.choice((1, 2, 4, 50))]
        elif what == 3:
            changed[at:at] = chance.randbytes(chance.choice((1, 2, 4, 50)))
        else:
            changed[at : at + 4] = bytes(4)
    return bytes(changed)


def test_mutated_files_are_refused_or_read(files, tmp_path):
    """2,000 files with a right checksum end in our error with its place, or in a module."""
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
    # What is left of the others is bits that are weights: nothing but a checksum tells.
    assert refused > 0.8 * NUM_MUTATED


def test_every_truncated_file_is_refused(files, tmp_path):
    """At every length; with the checksum made right too, but for a rare coincidence."""
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
                    # Whatever is left of the stream then ends in the coder's first state.
                    assert is_right
                    read += 1
    assert tried > 500
    assert read <= tried / 200


def test_names_that_no_line_can_show_are_refused(tmp_path):
    """On both sides: they could move a terminal's cursor, or look like another message."""
    path, module = tmp_path / "net.bitfold", nn.Module()
    module.register_parameter("a\x1b[2J", nn.Parameter(torch.ones(3)))
    with pytest.raises(bitfold.ModelFileError, match="printable"):
        write_checked(path, module, names=True)
    write_checked(path, nn.Linear(2, 2), names=True)
    path.write_bytes(with_checksum(path.read_bytes().replace(b"weight", b"w\neigh")))
    with pytest.raises(bitfold.ModelFileError, match="printable") as caught:
        bitfold.read_model(path, into=nn.Linear(2, 2))
    assert caught.value.offset is not None


def test_extended_files_are_refused(files, tmp_path):
    """Nothing may follow."""
    path = tmp_path / "net.bitfold"
    for data, module in files:
        for more in (b"\0", b"\0\0", b"\xff" * 8):
            path.write_bytes(with_checksum(data + more))
            with pytest.raises(bitfold.ModelFileError):
                bitfold.read_model(path, into=module)


def test_any_changed_bit_is_noticed(files, tmp_path):
    """Without a new checksum each single changed bit is refused."""
    path, (data, module) = tmp_path / "net.bitfold", files[-1]
    for bit in range(0, 8 * len(data), 5):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(bitfold.ModelFileError):
            bitfold.read_model(path, into=module)


def names_header(*numbers: int) -> bytes:
    """The start of a file with names, its varints as given."""
    body = bytearray(4)
    for given in numbers:
        number = given
        while number > 0x7F:
            body.append(number & 0x7F | 0x80)
            number >>= 7
        body.append(number)
    return with_checksum(MAGIC + bytes([4 + 2]) + bytes(4) + body + bytes(20))


def test_claimed_sizes_are_bounded_by_the_file(tmp_path):
    """Counts and shapes of 2^60 make no room for what the file cannot hold."""
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
    """A file that claims a network of so many inputs, and layers of such a width."""
    writer = StreamWriter()
    for number, order in ((in_features - 1, 1), (0, 1), (0, 0), (0, 0), (1, 0)):
        writer.golomb(number, order)
    writer.golomb(width - 1, 3)
    writer.golomb(num_layers - 1, 1)
    return with_checksum(MAGIC + bytes([4 + 1]) + bytes(4) + writer.stream())


@pytest.mark.parametrize("data", [b"", b"\xb1", b"PK\x03\x04" * 10, bytes(100)])
def test_what_is_no_model_file_is_refused(tmp_path, data):
    """Also the empty file, with the byte where it was noticed."""
    path = tmp_path / "net.bitfold"
    path.write_bytes(data)
    with pytest.raises(bitfold.ModelFileError, match="at byte") as caught:
        bitfold.read_model(path)
    assert caught.value.offset in (0, len(data))


def test_a_later_version_and_a_missing_file_say_so(tmp_path, files):
    """Each has its own error."""
    path = tmp_path / "net.bitfold"
    data = bytearray(files[0][0])
    data[2] += 4
    path.write_bytes(data)
    with pytest.raises(bitfold.ModelFileError, match="version 1, got 2 at byte 2"):
        bitfold.read_model(path)
    with pytest.raises(bitfold.ModelFileError, match="No such file"):
        bitfold.read_model(tmp_path / "other.bitfold")


def test_endless_codes_come_to_an_end():
    """A code of zeros without end is given up."""
    writer = StreamWriter()
    for _ in range(100):
        writer.bits_of(0, 1)
    with pytest.raises(bitfold.ModelFileError, match="no code of it"):
        StreamReader(writer.stream(), 0).golomb(0)


def test_the_context_coder_has_room_for_the_largest_numbers():
    """Each number takes at most as many symbols as there is room for."""
    import numpy as np

    numbers = np.full(100, -(2**51) + 1)
    used = (np.ones(1, np.int64), np.ones(100, np.int64), 0, 1)
    room = np.empty(100 * 60, np.uint32)
    assert put_table(room, numbers, used, new_contexts()) <= len(room)
