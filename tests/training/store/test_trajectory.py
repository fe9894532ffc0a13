"""``trajectory.bin``: weights at the frame epochs, safe against any damage at the file's end."""

from __future__ import annotations

import struct
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from bitfold.errors import TrajectoryError
from bitfold.training.store.trajectory import (
    MAGIC,
    Moment,
    TrajectoryReader,
    TrajectoryWriter,
)

SHAPES = {"first.weight": (3, 2), "first.bias": (3,), "scale": (), "empty": (0, 4)}


def weights(seed: int) -> dict[str, Tensor]:
    """Return weights of an invented network."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}


def write(path: Path, epochs: range, keep_until: int = 10**9) -> None:
    """Append a moment for each epoch."""
    writer = TrajectoryWriter(path, weights(0), keep_until=keep_until)
    for epoch in epochs:
        writer.append(epoch, {"epoch": epoch, "task_loss": 0.1 * epoch}, weights(epoch))
    writer.sync()
    writer.close()


def read(path: Path) -> list[Moment]:
    """Return all moments."""
    with closing(TrajectoryReader(path)) as reader:
        return list(reader.moments())


def epochs_of(path: Path) -> list[int]:
    """Return the epochs of all moments, and check each moment's weights."""
    moments = read(path)
    for moment in moments:
        for name, tensor in weights(moment.epoch).items():
            assert torch.equal(moment.weights[name], tensor)
    return [moment.epoch for moment in moments]


@given(
    st.lists(
        hnp.arrays("float32", hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)), max_size=4
    ),
    st.lists(
        st.dictionaries(st.text(), st.none() | st.integers() | st.floats(-1e99, 1e99)),
        min_size=1,
        max_size=3,
    ),
)
def test_any_weights_and_metrics_come_back(
    tmp_path_factory: pytest.TempPathFactory, arrays: list[Any], metrics: list[Any]
) -> None:
    """All bits of all tensors come back, NaN and infinities too, and all finite metrics."""
    tensors = {f"tensor {n}": torch.from_numpy(array.copy()) for n, array in enumerate(arrays)}
    tensors = tensors or {"one": torch.zeros(1)}
    path = tmp_path_factory.mktemp("any") / "t"
    writer = TrajectoryWriter(path, tensors, keep_until=0)
    for epoch, facts in enumerate(metrics):
        writer.append(epoch, facts, tensors)
    writer.close()
    for moment, facts in zip(read(path), metrics, strict=True):
        finite = {n: None if v in (float("inf"), float("-inf")) else v for n, v in facts.items()}
        assert moment.metrics == finite
        for name, tensor in tensors.items():
            assert moment.weights[name].shape == tensor.shape
            assert moment.weights[name].numpy().tobytes() == tensor.numpy().tobytes()


def test_a_file_cut_anywhere_in_its_last_record_ends_before_it(tmp_path: Path) -> None:
    """A writer killed at any byte loses that record only, and the next one goes on from there."""
    path = tmp_path / "t"
    write(path, range(3))
    start = path.stat().st_size
    write(path, range(3, 4))
    whole = path.read_bytes()
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert epochs_of(path) == [0, 1, 2]
        write(path, range(3, 4))
        assert path.read_bytes() == whole


def test_a_flipped_bit_is_never_taken_for_weights(tmp_path: Path) -> None:
    """A damaged record and what follows it are not read; a damaged header is an error."""
    path = tmp_path / "t"
    write(path, range(1))
    start = path.stat().st_size
    write(path, range(1, 3))
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            found = epochs_of(path)
        except TrajectoryError:
            assert place < start
        else:
            assert found in ([], [0], [0, 1])


def test_zeros_at_the_end_are_no_record(tmp_path: Path) -> None:
    """Zeros at the end, which a power cut may leave, are no record."""
    path = tmp_path / "t"
    write(path, range(2))
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(500))
    assert epochs_of(path) == [0, 1]
    write(path, range(0))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("keep_until", [-1, 0, 2, 9])
def test_later_moments_are_cut_off(tmp_path: Path, keep_until: int) -> None:
    """A continued run begins after its checkpoint's moment."""
    path = tmp_path / "t"
    write(path, range(0, 8, 2))
    write(path, range(20, 21), keep_until)
    kept = [epoch for epoch in range(0, 8, 2) if epoch <= keep_until]
    assert epochs_of(path) == [*kept, 20]


@pytest.mark.parametrize(
    "other", [{"first.weight": torch.zeros(3, 3)}, {"second.weight": torch.zeros(3, 2)}]
)
def test_another_networks_trajectory_is_refused(tmp_path: Path, other: dict[str, Tensor]) -> None:
    """A trajectory with other names, shapes or order is refused and stays unchanged."""
    path = tmp_path / "t"
    write(path, range(2))
    before = path.read_bytes()
    with pytest.raises(TrajectoryError, match="another network"):
        TrajectoryWriter(path, other, keep_until=5)
    assert path.read_bytes() == before


def test_a_reader_follows_a_growing_file(tmp_path: Path) -> None:
    """It yields each moment once, as soon as it is whole, and may begin again."""
    path = tmp_path / "t"
    write(path, range(2))
    reader = TrajectoryReader(path)
    assert [m.epoch for m in reader.moments()] == [0, 1]
    assert list(reader.moments()) == []
    write(path, range(2, 3))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert list(reader.moments()) == []
    path.write_bytes(whole)
    assert [m.epoch for m in reader.moments()] == [2]
    assert reader.epochs() == [0, 1, 2]
    assert [m.epoch for m in reader.moments()] == [0, 1, 2]
    reader.close()


@pytest.mark.parametrize(
    "content",
    [b"", MAGIC, b"\x89PNG\r\n\x1a\n" * 9, MAGIC + b"\xff\xff\xff\xff{}", MAGIC + bytes(8)],
)
def test_what_is_no_trajectory_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no trajectory is refused in one line, and a claimed size takes no memory."""
    path = tmp_path / "t"
    path.write_bytes(content)
    with pytest.raises(TrajectoryError, match="header at byte 0 is damaged"):
        TrajectoryReader(path)
    with pytest.raises(TrajectoryError, match="header at byte 0 is damaged"):
        TrajectoryWriter(path, weights(0), keep_until=0)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The error for a missing file is one line that names the file."""
    with pytest.raises(TrajectoryError, match="No such file"):
        TrajectoryReader(tmp_path / "t")


@pytest.mark.parametrize("facts", [b"{}", b"[]", b"\xff"])
def test_a_strangers_record_is_refused(tmp_path: Path, facts: bytes) -> None:
    """A record with the right checksum that does not fit the header is an error."""
    path = tmp_path / "t"
    write(path, range(1))
    payload = struct.pack("<qI", 1, len(facts)) + facts + bytes(8)
    with path.open("ab") as file:
        file.write(
            struct.pack("<I", len(payload)) + payload + struct.pack("<I", zlib.crc32(payload))
        )
    with pytest.raises(TrajectoryError, match=r"record at byte [0-9]+ does not fit"):
        read(path)
