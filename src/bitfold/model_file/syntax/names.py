"""Names, kinds and shapes of a file's tensors, written and read."""

from __future__ import annotations

from collections.abc import Sequence

from bitfold.entropy_coding.damage import damaged
from bitfold.errors import ModelFileError
from bitfold.model_file.syntax.structure import KINDS, Item
from bitfold.model_file.syntax.varints import read_bytes, read_varint, varint

_MOST_DIMENSIONS = 64


def names_bytes(items: Sequence[Item]) -> bytes:
    """The bytes of names, kinds and shapes.

    Raises:
        ModelFileError: if a name has characters that cannot be printed.
    """
    parts = [varint(len(items))]
    for item in items:
        if not item.name.isprintable():
            raise ModelFileError(
                f"Cannot write names: expected printable characters, got {item.name!r}. "
                "Rename the tensor, or write the file without names."
            )
        name = item.name.encode()
        numbers = [KINDS.index(item.kind), len(item.shape), *item.shape]
        parts += [varint(len(name)), name, *map(varint, numbers)]
    return b"".join(parts)


def read_names(data: bytes, at: int) -> tuple[tuple[Item, ...], int]:
    """Read what `names_bytes` wrote; returns the items and the byte behind them."""
    count, at = read_varint(data, at)
    items = list[Item]()
    # Each item takes a byte at least, so that the file's size bounds their count.
    for _ in range(count):
        length, at = read_varint(data, at)
        start = at
        raw, at = read_bytes(data, at, length)
        name = raw.decode(errors="replace")
        # Other names could move a terminal's cursor, or break the line of an error message.
        if name.encode() != raw or not name.isprintable():
            raise damaged(f"expected a name of printable UTF-8, got {raw[:40]!r}", start)
        kind, at = read_varint(data, at)
        num_dimensions, at = read_varint(data, at)
        if kind >= len(KINDS) or num_dimensions > _MOST_DIMENSIONS:
            raise damaged(
                f"expected a kind below {len(KINDS)} and at most {_MOST_DIMENSIONS} sides, got "
                f"kind {kind} and {num_dimensions} sides",
                at,
            )
        shape = list[int]()
        for _ in range(num_dimensions):
            side, at = read_varint(data, at)
            shape.append(side)
        items.append(Item(name, tuple(shape), KINDS[kind]))
    return tuple(items), at
