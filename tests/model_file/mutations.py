"""Damage to model files."""

import random
import zlib


def with_checksum(data: bytes) -> bytes:
    """Return the file with a correct checksum, so that the parser itself is reached."""
    return data[:3] + zlib.crc32(data[7:]).to_bytes(4, "little") + data[7:]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return a file with some bytes changed, cut, added or zeroed."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(2, len(changed)) if len(changed) > 2 else 0
        what = chance.randrange(5)
        if what == 0 and changed:
            changed[at] ^= 1 << chance.randrange(8)
        elif what == 1 and changed:
            changed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif what == 2:
            del changed[at : at + chance.choice((1, 2, 4, 50))]
        elif what == 3:
            changed[at:at] = chance.randbytes(chance.choice((1, 2, 4, 50)))
        else:
            changed[at : at + 4] = bytes(4)
    return bytes(changed)
