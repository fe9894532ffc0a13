"""``trajectory.bin``: the network's weights at the frame epochs, readable after a kill.

Layout, little endian: the magic ``BFTRAJ1\\n``; then blocks of ``size (4 bytes), payload,
crc32(payload) (4 bytes)``. The first payload is JSON, ``{"tensors": [[name, shape], ...]}``. Each
later payload is a record: ``epoch (8 bytes), length of JSON (4 bytes), JSON of the epoch's metrics,
all tensors as float32`` in the order of the first payload. Bytes after the last whole record are
the leftover of a killed writer and no part of the file.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.errors import TrajectoryError
from bitfold.runtime.atomic_files import AppendOnlyFile, write_atomically
from bitfold.runtime.strangers.bounded_json import parse_json, shortened
from bitfold.runtime.strangers.plain_files import open_plain
from bitfold.training.store.metrics import Metrics, checked_epoch, checked_metrics, finite

MAGIC = b"BFTRAJ1\n"
_RECORD = struct.Struct("<qI")
# The header of 256 layers takes a thousandth of it, the metrics of an epoch a sixteenth.
_MAX_JSON_BYTES = 2**20
_MAX_DIMENSIONS, _MAX_VALUES = 8, 2**28

_Header = list[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True, eq=False)
class Moment:
    """The network at one epoch.

    Args:
        epoch: number of the epoch; 0 before training.
        metrics: metrics of the epoch; empty at epoch 0.
        weights: name to float32 tensor.
    """

    epoch: int
    metrics: Metrics
    weights: Mapping[str, Tensor]


class TrajectoryWriter:
    """Appends moments to a trajectory.

    Args:
        path: the file; it is created if it is missing.
        weights: the network's state, which fixes the names, shapes and order of the tensors.
        keep_until: last epoch that stays; later moments and a torn last record are cut off.

    Raises:
        TrajectoryError: the file holds another network's weights, or is not a trajectory.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, weights: Mapping[str, Tensor], *, keep_until: int) -> None:
        self._names = list(weights)
        header = [(name, tuple(tensor.shape)) for name, tensor in weights.items()]
        if os.path.lexists(path):  # a link to nothing is refused there too
            self._cut(path, header, keep_until)
        else:
            write_atomically(path, MAGIC + _block(json.dumps({"tensors": header}).encode()))
        self._file = AppendOnlyFile(path)

    @staticmethod
    def _cut(path: Path, header: _Header, keep_until: int) -> None:
        with open_plain(path, "r+b") as file:
            if _read_header(file, path) != header:
                raise TrajectoryError(
                    f"Cannot continue trajectory {path}: it holds another network's weights. Move "
                    "it away to go on without its frames."
                )
            end = file.tell()
            for payload in _records(file, path, _max_payload(header)):
                if _RECORD.unpack_from(payload)[0] > keep_until:
                    break
                end = file.tell()
            file.truncate(end)

    def append(self, epoch: int, metrics: Metrics, weights: Mapping[str, Tensor]) -> None:
        """Hand one moment to the operating system.

        Raises:
            OSError: the disk is full; the file is as before.
        """
        flat = torch.cat([weights[name].detach().reshape(-1).float() for name in self._names])
        facts = json.dumps(finite(metrics)).encode()
        payload = _RECORD.pack(epoch, len(facts)) + facts + flat.cpu().numpy().tobytes()
        self._file.append(_block(payload))

    def sync(self) -> None:
        """Wait until every moment is on disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TrajectoryReader:
    """Reads moments in order, also from a file that still grows.

    Args:
        path: the file.
        shapes: names and shapes of the network's tensors, in order; None for those of the file.

    Raises:
        TrajectoryError: there is no such file, it is not a trajectory, or it holds another
            network's weights.
    """

    def __init__(self, path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
        try:
            self._file = open_plain(path, "rb")
        except OSError as error:
            message = f"Cannot read trajectory {path}: {error.strerror}."
            raise TrajectoryError(message) from None
        self._path = path
        try:
            self._tensors = _read_header(self._file, path)
            if shapes is not None:
                _check_header(self._tensors, list(shapes.items()), path)
        except TrajectoryError:
            self._file.close()
            raise
        self._max_payload = _max_payload(self._tensors)
        self._start = self._file.tell()

    def moments(self) -> Iterator[Moment]:
        """Yield the moments that earlier calls have not yielded.

        Raises:
            TrajectoryError: a whole record does not hold this network's weights, or has metrics
                that are no measurements; the message has the byte.
        """
        for payload in _records(self._file, self._path, self._max_payload):
            yield self._moment(payload)

    def rewind(self) -> None:
        """Let `moments` start over at the first moment."""
        self._file.seek(self._start)

    def epochs(self) -> list[int]:
        """Return the epochs of all moments, and rewind."""
        self.rewind()
        records = _records(self._file, self._path, self._max_payload)
        epochs = [self._epoch(payload) for payload in records]
        self.rewind()
        return epochs

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _epoch(self, payload: bytes) -> int:
        try:
            return checked_epoch(_RECORD.unpack_from(payload)[0])
        except ValueError as error:
            raise self._damaged(payload, error) from None

    def _moment(self, payload: bytes) -> Moment:
        epoch, (_, length) = self._epoch(payload), _RECORD.unpack_from(payload)
        start = _RECORD.size + length
        num_bytes = 4 * _num_values(self._tensors)
        if len(payload) != start + num_bytes:
            raise self._damaged(payload, f"expected {num_bytes:,} bytes of weights")
        try:
            facts = checked_metrics(parse_json(payload[_RECORD.size : start]))
        except ValueError as error:
            raise self._damaged(payload, error) from None
        flat: NDArray[np.float32] = np.frombuffer(payload[start:], dtype="<f4").copy()
        weights, start = {}, 0
        for name, shape in self._tensors:
            size = math.prod(shape)
            weights[name] = torch.from_numpy(flat[start : start + size].reshape(shape))
            start += size
        return Moment(epoch, facts, weights)

    def _damaged(self, payload: bytes, reason: object) -> TrajectoryError:
        byte = self._file.tell() - len(payload) - 8
        return TrajectoryError(
            f"Cannot read trajectory {self._path}: its record at byte {byte:,} does not fit its "
            f"header ({reason}). Another program wrote it."
        )


def _block(payload: bytes) -> bytes:
    return struct.pack("<I", len(payload)) + payload + struct.pack("<I", zlib.crc32(payload))


def _num_values(header: _Header) -> int:
    return sum(math.prod(shape) for _, shape in header)


def _max_payload(header: _Header) -> int:
    """The largest size of a record, which bounds the memory that a stranger's file can take."""
    return _RECORD.size + _MAX_JSON_BYTES + 4 * _num_values(header)


def _records(file: IO[bytes], path: Path, max_payload: int) -> Iterator[bytes]:
    """Yield whole records; leave the file position after the last one.

    Raises:
        TrajectoryError: a record is larger than any of this network.
    """
    while True:
        start = file.tell()
        payload = _read_block(file, path, max_payload)
        # A power cut can leave zeros, which read as an empty block with a correct checksum.
        if payload is None or len(payload) < _RECORD.size:
            file.seek(start)
            return
        yield payload


def _read_block(file: IO[bytes], path: Path, max_payload: int) -> bytes | None:
    """Read a block; None if it is not whole.

    Raises:
        TrajectoryError: the block is larger than ``max_payload``.
    """
    start, head = file.tell(), file.read(4)
    if len(head) < 4:
        return None
    size = struct.unpack("<I", head)[0]
    if size + 4 > os.fstat(file.fileno()).st_size - file.tell():
        return None  # not whole yet; checked before reading, so that a damaged size costs no memory
    if size > max_payload:
        raise TrajectoryError(
            f"Cannot read trajectory {path}: expected at most {max_payload:,} bytes in the block "
            f"at byte {start:,}, got {size:,}. Move it away to go on without its frames."
        )
    body = file.read(size + 4)
    if len(body) < size + 4 or zlib.crc32(body[:size]) != struct.unpack("<I", body[size:])[0]:
        return None
    return body[:size]


def _read_header(file: IO[bytes], path: Path) -> _Header:
    is_ours = file.read(len(MAGIC)) == MAGIC
    payload = _read_block(file, path, _MAX_JSON_BYTES) if is_ours else None
    try:
        return _parsed_header(payload or b"")
    except (ValueError, KeyError, TypeError) as error:
        raise TrajectoryError(
            f"Cannot read trajectory {path}: its header at byte 0 is damaged ({error}). Move it "
            "away to go on without its frames."
        ) from None


def _parsed_header(payload: bytes) -> _Header:
    """Return the names and shapes in a header.

    Raises:
        ValueError, KeyError, TypeError: they are no names and shapes, or no network has so many.
    """
    header: _Header = []
    for name, shape in parse_json(payload)["tensors"]:
        sizes = [size for size in shape if type(size) is int and 0 <= size <= _MAX_VALUES]
        is_right = isinstance(name, str) and len(sizes) == len(shape) <= _MAX_DIMENSIONS
        if not is_right or math.prod(sizes) > _MAX_VALUES:
            raise ValueError(f"expected the name and shape of a tensor, got {shortened(name)}")
        header.append((name, tuple(sizes)))
    if _num_values(header) > _MAX_VALUES:
        raise ValueError(f"expected at most {_MAX_VALUES:,} numbers")
    return header


def _check_header(found: _Header, expected: _Header, path: Path) -> None:
    """Refuse another network's tensors.

    Raises:
        TrajectoryError: a name, a shape or the order differs; the message names the first.
    """
    for have, want in zip_longest(found, expected):
        if have != want:
            raise TrajectoryError(
                f"Cannot read trajectory {path}: expected {_tensor(want)} in its header at byte 0, "
                f"got {_tensor(have)}. It holds another network's weights."
            )


def _tensor(item: tuple[str, tuple[int, ...]] | None) -> str:
    return "no further tensor" if item is None else f"{item[0][:100]} of shape {item[1]}"
