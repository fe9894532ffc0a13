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
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitfold.errors import TrajectoryError
from bitfold.runtime.atomic_files import AppendOnlyFile, write_atomically
from bitfold.training.store.metrics import Metrics, finite

MAGIC = b"BFTRAJ1\n"
_RECORD = struct.Struct("<qI")

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
        if path.exists():
            self._cut(path, header, keep_until)
        else:
            write_atomically(path, MAGIC + _block(json.dumps({"tensors": header}).encode()))
        self._file = AppendOnlyFile(path)

    @staticmethod
    def _cut(path: Path, header: _Header, keep_until: int) -> None:
        with path.open("r+b") as file:
            if _read_header(file, path) != header:
                raise TrajectoryError(
                    f"Cannot continue trajectory {path}: it holds another network's weights. Move "
                    "it away to go on without its frames."
                )
            end = file.tell()
            for payload in _records(file):
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

    Raises:
        TrajectoryError: there is no such file, or it is not a trajectory.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb")
        except OSError as error:
            message = f"Cannot read trajectory {path}: {error.strerror}."
            raise TrajectoryError(message) from None
        self._path = path
        try:
            self._tensors = _read_header(self._file, path)
        except TrajectoryError:
            self._file.close()
            raise
        self._num_values = sum(math.prod(shape) for _, shape in self._tensors)
        self._start = self._file.tell()

    def moments(self) -> Iterator[Moment]:
        """Yield the moments that earlier calls have not yielded.

        Raises:
            TrajectoryError: a whole record does not hold this network's weights.
        """
        for payload in _records(self._file):
            yield self._moment(payload)

    def rewind(self) -> None:
        """Let `moments` start over at the first moment."""
        self._file.seek(self._start)

    def epochs(self) -> list[int]:
        """Return the epochs of all moments, and rewind."""
        self.rewind()
        epochs = [_RECORD.unpack_from(payload)[0] for payload in _records(self._file)]
        self.rewind()
        return epochs

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _moment(self, payload: bytes) -> Moment:
        epoch, length = _RECORD.unpack_from(payload)
        values = _RECORD.size + length
        try:
            facts = json.loads(payload[_RECORD.size : values])
        except ValueError:
            facts = None
        if not isinstance(facts, dict) or len(payload) != values + 4 * self._num_values:
            raise TrajectoryError(
                f"Cannot read trajectory {self._path}: its record of epoch {epoch} does not fit "
                "its header. Another program wrote it."
            )
        flat: NDArray[np.float32] = np.frombuffer(payload[values:], dtype="<f4").copy()
        weights, start = {}, 0
        for name, shape in self._tensors:
            size = math.prod(shape)
            weights[name] = torch.from_numpy(flat[start : start + size].reshape(shape))
            start += size
        return Moment(epoch, facts, weights)


def _block(payload: bytes) -> bytes:
    return struct.pack("<I", len(payload)) + payload + struct.pack("<I", zlib.crc32(payload))


def _records(file: BinaryIO) -> Iterator[bytes]:
    """Yield whole records; leave the file position after the last one."""
    while True:
        start = file.tell()
        payload = _read_block(file)
        # A power cut can leave zeros, which read as an empty block with a correct checksum.
        if payload is None or len(payload) < _RECORD.size:
            file.seek(start)
            return
        yield payload


def _read_block(file: BinaryIO) -> bytes | None:
    head = file.read(4)
    if len(head) < 4:
        return None
    size = struct.unpack("<I", head)[0]
    if size + 4 > os.fstat(file.fileno()).st_size - file.tell():
        return None  # not whole yet; checked before reading, so that a damaged size costs no memory
    body = file.read(size + 4)
    if len(body) < size + 4 or zlib.crc32(body[:size]) != struct.unpack("<I", body[size:])[0]:
        return None
    return body[:size]


def _read_header(file: BinaryIO, path: Path) -> _Header:
    payload = _read_block(file) if file.read(len(MAGIC)) == MAGIC else None
    try:
        tensors = json.loads(payload or b"")["tensors"]
        header = [(str(name), tuple(int(n) for n in shape)) for name, shape in tensors]
        if any(n < 0 for _, shape in header for n in shape):
            raise ValueError("a negative shape")
        return header
    except (ValueError, KeyError, TypeError):
        raise TrajectoryError(
            f"Cannot read trajectory {path}: its header at byte 0 is damaged. Move it away to go "
            "on without its frames."
        ) from None
