"""The first bytes of a model file, written and read: version, checksum and structure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

from bitfold.entropy_coding.damage import damaged
from bitfold.errors import ModelFileError
from bitfold.model_file.syntax.names import names_bytes, read_names
from bitfold.model_file.syntax.structure import HASH_BYTES, Item, structure_hash
from bitfold.model_file.syntax.varints import read_bytes

MAGIC, NEWEST = b"\xb1F", 2
_CHECKSUM_AT, _AFTER_CHECKSUM = 3, 7
# The third byte is 4 times the version, plus two flags.
_FLAGS, _HAS_RECIPE, _HAS_NAMES = 4, 1, 2


class Header(NamedTuple):
    """Everything before the stream.

    Attributes:
        version: 1 or 2.
        has_recipe: whether the stream begins with the recipe of the network.
        structure: hash of the items; empty with a recipe.
        items: names and shapes, if the file has them.
        end: byte where the stream starts.
    """

    version: int
    has_recipe: bool
    structure: bytes
    items: tuple[Item, ...] | None
    end: int


def with_header(
    items: Sequence[Item], stream: bytes, *, version: int, has_recipe: bool, has_names: bool
) -> bytes:
    """A whole file: the header of a stream, and the stream."""
    first = version * _FLAGS | _HAS_RECIPE * has_recipe | _HAS_NAMES * has_names
    structure = b"" if has_recipe else structure_hash(items)
    names = names_bytes(items) if has_names else b""
    body = structure + names + stream
    return MAGIC + bytes([first]) + zlib.crc32(body).to_bytes(4, "little") + body


def read_header(data: bytes) -> Header:
    """Check the version and the checksum of a file that `with_header` made, and read its header.

    Raises:
        ModelFileError: if it is no model file, is of a later version, or damaged.
    """
    if data[:2] != MAGIC[: len(data)]:
        raise ModelFileError(
            "Cannot read a model file: expected a .bitfold file, got another kind, which begins "
            f"with {data[:8]!r}. Give a file that bitfold wrote.",
            0,
        )
    if len(data) < _AFTER_CHECKSUM:
        raise damaged(f"expected at least {_AFTER_CHECKSUM} bytes, got {len(data)}", len(data))
    version, flags = divmod(data[2], _FLAGS)
    if not 1 <= version <= NEWEST:
        raise damaged(f"expected version 1 or {NEWEST}, got {version}", 2)
    found = zlib.crc32(memoryview(data)[_AFTER_CHECKSUM:])
    expected = int.from_bytes(data[_CHECKSUM_AT:_AFTER_CHECKSUM], "little")
    if found != expected:
        raise damaged(f"expected checksum {expected:08x}, got {found:08x}", _CHECKSUM_AT)
    at, structure, items = _AFTER_CHECKSUM, b"", None
    if not flags & _HAS_RECIPE:
        structure, at = read_bytes(data, at, HASH_BYTES)
    if flags & _HAS_NAMES:
        items, at = read_names(data, at)
    return Header(version, bool(flags & _HAS_RECIPE), structure, items, at)
