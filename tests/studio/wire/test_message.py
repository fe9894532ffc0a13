"""Binary messages: written messages are read, and every byte has a fixed place."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bitfold.errors import WireError
from bitfold.studio.wire.message import TYPES, Message, decode, encode


@pytest.mark.parametrize("kind", TYPES)
def test_arrays_of_each_type_come_back(kind: str) -> None:
    """Shape, dtype and numbers of an array come back, also of an empty array."""
    arrays = {"some": np.arange(15).astype(kind).reshape(5, 3), "none": np.zeros((0, 4), kind)}
    found = decode(encode(Message("test", {"epoch": 7}, arrays)))
    assert (found.kind, found.facts) == ("test", {"epoch": 7})
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert (found.arrays[name] == array).all()


def test_each_array_begins_at_a_multiple_of_eight_bytes() -> None:
    """Arrays begin at multiples of 8 bytes; the first four bytes hold the header's length."""
    odd = {f"a{n}": np.arange(n, dtype=np.uint8) for n in range(1, 10)}
    data = encode(Message("test", {"text": "x" * 13}, odd))
    size = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + size])
    assert (4 + size) % 8 == 0
    assert [entry["at"] % 8 for entry in header["arrays"]] == [0] * 9
    first = 4 + size + header["arrays"][4]["at"]
    assert data[first : first + 5] == bytes(range(5))


def test_numbers_are_little_endian() -> None:
    """Numbers are little-endian for any byte order in memory."""
    data = encode(Message("test", {}, {"a": np.array([1], ">u4")}))
    assert data[-8:] == b"\1\0\0\0\0\0\0\0"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "header in JSON"),
        (b"\xff\xff\xff\xff{}", "header in JSON"),
        (b"\x02\0\0\0[]", "header in JSON"),
        (b'\x2b\0\0\0{"kind":"a","version":2,"arrays":[]}       ', "version 1, got 2"),
    ],
)
def test_other_bytes_are_refused(data: bytes, problem: str) -> None:
    """Other bytes are refused in one line."""
    with pytest.raises(WireError, match=problem):
        decode(data)


def test_an_array_that_is_cut_off_is_refused() -> None:
    """The error for an array that is cut off names the array."""
    data = encode(Message("test", {}, {"losses": np.zeros(9)}))
    with pytest.raises(WireError, match="'losses' of a message: it is cut off"):
        decode(data[:-8])
