"""Numbers of as many bytes as they need, written and read.

Each byte has seven bits of the number, the lowest first. Its eighth bit is set if another follows.
"""

from bitfold.entropy_coding.damage import damaged

_MOST_BYTES = 9


def varint(number: int) -> bytes:
    """The bytes of a number of at least 0."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number that `varint` wrote; returns it and the byte behind it."""
    number = 0
    for place in range(_MOST_BYTES):
        byte, after = read_bytes(data, at + place, 1)
        number |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:
            return number, after
    raise damaged("expected a number of at most nine bytes, got a longer one", at)


def read_bytes(data: bytes, at: int, count: int) -> tuple[bytes, int]:
    """The bytes from ``at`` on, and the byte behind them; an error if the file is too short."""
    if count > len(data) - at:
        raise damaged(f"expected {count:,} more bytes, got {len(data) - at:,}", at)
    return data[at : at + count], at + count
