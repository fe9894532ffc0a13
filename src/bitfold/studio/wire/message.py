"""Binary messages: a header in JSON, and arrays; docs/studio-wire.md specifies every byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import WireError
from bitfold.runtime.strangers.bounded_json import parse_json

#: The version of the format; a reader refuses every other one.
VERSION: Final = 1
#: A longer message is refused: 400,000 polytopes of a picture in colours take a tenth of this.
MAX_BYTES: Final = 2**30
#: Types of arrays, by the names that NumPy and the page use.
TYPES: Final = ("uint8", "uint16", "uint32", "int32", "float32", "float64")
_ALIGNMENT: Final = 8
_LENGTH_BYTES: Final = 4


@dataclass(frozen=True)
class Message:
    """A message of a process of the studio to another one, or to a page.

    Args:
        kind: what the message is about, such as ``partition``.
        facts: what JSON can hold; ``kind``, ``version`` and ``arrays`` are the format's own names.
        arrays: name to numbers of one of `TYPES`.
    """

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def encode(message: Message) -> bytes:
    """Return the bytes of a message.

    >>> data = encode(Message("moment", {"epoch": 3}, {"loss": np.array([0.5], np.float32)}))
    >>> decode(data).facts["epoch"], decode(data).arrays["loss"].tolist()
    (3, [0.5])
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in message.arrays.items()}
    table, position = [], 0
    for name, array in arrays.items():
        assert array.dtype.name in TYPES, array.dtype
        table.append({"name": name, "type": array.dtype.name, "shape": array.shape, "at": position})
        position += _padded(array.nbytes)
    facts = {**message.facts, "kind": message.kind, "version": VERSION, "arrays": table}
    header = json.dumps(facts, allow_nan=False, separators=(",", ":")).encode()
    header += b" " * (_padded(len(header) + _LENGTH_BYTES) - len(header) - _LENGTH_BYTES)
    parts = [len(header).to_bytes(_LENGTH_BYTES, "little"), header]
    for array in arrays.values():
        parts += [_little_endian(array), b"\0" * (_padded(array.nbytes) - array.nbytes)]
    return b"".join(parts)


def decode(data: bytes) -> Message:
    """Read a message; its arrays share the memory of ``data``.

    Raises:
        WireError: the bytes are no message of this version.

    >>> decode(bytes(4))
    Traceback (most recent call last):
    bitfold.errors.WireError: Cannot read a message: expected a header in JSON, got b''.
    """
    facts, body = header_of(data)
    arrays = {}
    for entry in facts.pop("arrays"):
        arrays[str(entry["name"])] = _array_of(entry, body)
    kind = facts.pop("kind")
    del facts["version"]
    return Message(kind, facts, arrays)


def header_of(data: bytes) -> tuple[dict[str, Any], memoryview]:
    """Return the header of a message, and the bytes of its arrays.

    Raises:
        WireError: the bytes have no header of this version.
    """
    size = int.from_bytes(data[:_LENGTH_BYTES], "little")
    text = data[_LENGTH_BYTES : _LENGTH_BYTES + size]
    try:
        facts = parse_json(text)
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or not isinstance(facts.get("kind"), str):
        raise WireError(f"Cannot read a message: expected a header in JSON, got {text[:40]!r}.")
    if facts.get("version") != VERSION or not isinstance(facts.get("arrays"), list):
        raise WireError(
            f"Cannot read a message: expected version {VERSION}, got {facts.get('version')!r}. "
            "Load the page again."
        )
    return facts, memoryview(data)[_LENGTH_BYTES + size :]


def _array_of(entry: Any, body: memoryview) -> NDArray[Any]:
    shape, first = tuple(entry["shape"]), int(entry["at"])
    dtype = np.dtype(entry["type"]).newbyteorder("<")
    count = int(np.prod(shape, dtype=np.int64))
    if entry["type"] not in TYPES or first + count * dtype.itemsize > len(body):
        raise WireError(f"Cannot read array {entry['name']!r} of a message: it is cut off.")
    return np.frombuffer(body, dtype, count, first).reshape(shape)


def _little_endian(array: NDArray[Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _padded(num_bytes: int) -> int:
    """Round up to a multiple of the alignment."""
    return -(-num_bytes // _ALIGNMENT) * _ALIGNMENT
