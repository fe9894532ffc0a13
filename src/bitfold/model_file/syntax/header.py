"""The first bytes of a model file: what it is, its checksum, which structure it is for."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

from bitfold.entropy_coding.streams import damaged
from bitfold.errors import ModelFileError
from bitfold.model_file.syntax.structure import HASH_BYTES, KINDS, Item, structure_hash

MAGIC, VERSION = b"\xb1F", 1
_CHECKSUM_AT, _AFTER_CHECKSUM = 3, 7
# The third byte: the version, times 4, and two flags.
_FLAGS, _HAS_RECIPE, _HAS_NAMES = 4, 1, 2
_MOST_VARINT_BYTES, _MOST_DIMENSIONS = 9, 64


class Header(NamedTuple):
    """What stands before the stream.

    Attributes:
        has_recipe: whether the stream begins with how to build the network.
        structure: hash of the items, or none with a recipe.
        items: by name and shape, if the file has them.
        end: byte where the stream starts.
    """

    has_recipe: bool
    structure: bytes
    items: tuple[Item, ...] | None
    end: int


def framed(items: Sequence[Item], stream: bytes, *, has_recipe: bool, has_names: bool) -> bytes:
    """A file: magic bytes, version and flags, CRC-32 of all that follows, structure and stream."""
    first = VERSION * _FLAGS | _HAS_RECIPE * has_recipe | _HAS_NAMES * has_names
    body = _structure_bytes(items, has_recipe=has_recipe, has_names=has_names) + stream
    return MAGIC + bytes([first]) + zlib.crc32(body).to_bytes(4, "little") + body


def _structure_bytes(items: Sequence[Item], *, has_recipe: bool, has_names: bool) -> bytes:
    parts = []
    if not has_recipe:
        parts.append(structure_hash(items))
    if has_names:
        parts.append(_varint(len(items)))
        for item in items:
            if not item.name.isprintable():
                raise ModelFileError(
                    f"Cannot write names: expected printable ones, got {item.name!r}. "
                    "Rename it, or write the file without names."
                )
            name = item.name.encode()
            numbers = [KINDS.index(item.kind), len(item.shape), *item.shape]
            parts += [_varint(len(name)), name, *map(_varint, numbers)]
    return b"".join(parts)


def read_header(data: bytes) -> Header:
    """Check the frame and read what stands before the stream.

    Raises:
        ModelFileError: if it is no model file, is of a later version, or damaged.
    """
    if len(data) < _AFTER_CHECKSUM:
        raise damaged(f"expected at least {_AFTER_CHECKSUM} bytes, got {len(data)}", len(data))
    if data[:2] != MAGIC:
        raise damaged(f"expected the bytes {MAGIC.hex()}, got {data[:2].hex()}", 0)
    version, flags = divmod(data[2], _FLAGS)
    if version != VERSION:
        raise damaged(f"expected version {VERSION}, got {version}", 2)
    found = zlib.crc32(memoryview(data)[_AFTER_CHECKSUM:])
    expected = int.from_bytes(data[_CHECKSUM_AT:_AFTER_CHECKSUM], "little")
    if found != expected:
        raise damaged(f"expected checksum {expected:08x}, got {found:08x}", _CHECKSUM_AT)
    at, structure, items = _AFTER_CHECKSUM, b"", None
    if not flags & _HAS_RECIPE:
        structure, at = _bytes(data, at, HASH_BYTES)
    if flags & _HAS_NAMES:
        items, at = _read_items(data, at)
    return Header(bool(flags & _HAS_RECIPE), structure, items, at)


def _read_items(data: bytes, at: int) -> tuple[tuple[Item, ...], int]:
    count, at = _read_varint(data, at)
    items = list[Item]()
    # Each takes a byte at least: the count is bounded by the file, whatever it claims.
    for _ in range(count):
        length, at = _read_varint(data, at)
        start = at
        raw, at = _bytes(data, at, length)
        name = raw.decode(errors="replace")
        # Others could move a terminal's cursor, or end a line of an error.
        if name.encode() != raw or not name.isprintable():
            raise damaged("expected a name of printable UTF-8, got other bytes", start)
        kind, at = _read_varint(data, at)
        num_dimensions, at = _read_varint(data, at)
        if kind >= len(KINDS) or num_dimensions > _MOST_DIMENSIONS:
            raise damaged("expected a kind and a shape, got other numbers", at)
        shape = list[int]()
        for _ in range(num_dimensions):
            side, at = _read_varint(data, at)
            shape.append(side)
        items.append(Item(name, tuple(shape), KINDS[kind]))
    return tuple(items), at


def _bytes(data: bytes, at: int, count: int) -> tuple[bytes, int]:
    if count > len(data) - at:
        raise damaged(f"expected {count:,} more bytes, got {len(data) - at:,}", at)
    return data[at : at + count], at + count


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first, the eighth set on all but the last."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for place in range(_MOST_VARINT_BYTES):
        byte, after = _bytes(data, at + place, 1)
        number |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:
            return number, after
    raise damaged("expected a number of at most nine bytes, got a longer one", at)
