"""The first bytes of a model file, written and read: version, checksum and structure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from io import SEEK_END, BytesIO
from typing import IO, NamedTuple

from bitfold.entropy_coding.damage import damaged
from bitfold.errors import ModelFileError
from bitfold.model_file.syntax.names import names_bytes, read_names
from bitfold.model_file.syntax.structure import HASH_BYTES, Item, structure_hash
from bitfold.model_file.syntax.varints import read_bytes

MAGIC, NEWEST = b"\xb1F", 4
_CHECKSUM_AT, _AFTER_CHECKSUM = 3, 7
# The third byte is 4 times the version, plus two flags.
_FLAGS, _HAS_RECIPE, _HAS_NAMES = 4, 1, 2


class Header(NamedTuple):
    """Everything before the stream.

    Attributes:
        version: 1 to 4.
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


class FileWriter:
    """Writes a file part by part: the header first, its checksum last.

    Args:
        file: to write to, from its present position on; it can be sought in.
        items: the tensors.
        version: of the file.
        has_recipe: whether the stream begins with the recipe of the network.
        has_names: whether names and shapes are written.

    Attributes:
        num_bytes: of the stream so far.
    """

    def __init__(
        self,
        file: IO[bytes],
        items: Sequence[Item],
        *,
        version: int,
        has_recipe: bool,
        has_names: bool,
    ) -> None:
        self._file, self._start = file, file.tell()
        first = version * _FLAGS | _HAS_RECIPE * has_recipe | _HAS_NAMES * has_names
        before = b"" if has_recipe else structure_hash(items)
        if has_names:
            before += names_bytes(items)
        file.write(MAGIC + bytes([first]) + bytes(_AFTER_CHECKSUM - _CHECKSUM_AT) + before)
        self._checksum, self._num_before, self.num_bytes = zlib.crc32(before), len(before), 0

    def write(self, stream: bytes) -> None:
        """Append the next part of the stream."""
        self._file.write(stream)
        self._checksum = zlib.crc32(stream, self._checksum)
        self.num_bytes += len(stream)

    def finish(self) -> int:
        """Write the checksum; returns the size of the file."""
        self._file.seek(self._start + _CHECKSUM_AT)
        self._file.write(self._checksum.to_bytes(4, "little"))
        self._file.seek(0, SEEK_END)
        return _AFTER_CHECKSUM + self._num_before + self.num_bytes


def with_header(
    items: Sequence[Item], stream: bytes, *, version: int, has_recipe: bool, has_names: bool
) -> bytes:
    """A whole file: the header of a stream, and the stream."""
    file = BytesIO()
    writer = FileWriter(file, items, version=version, has_recipe=has_recipe, has_names=has_names)
    writer.write(stream)
    writer.finish()
    return file.getvalue()


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
        raise damaged(f"expected version 1 to {NEWEST}, got {version}", 2)
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
