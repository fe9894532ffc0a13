"""The chunks of a PNG: those that a decoder of its pixels needs."""

from typing import Final

_SIGNATURE_BYTES: Final = 8
# Length and name before a chunk's content, and a checksum after it.
_HEAD_BYTES: Final = 8
_CHECKSUM_BYTES: Final = 4
_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_PROFILE: Final = b"iCCP"
# Texts in which programs keep the orientation.
_ORIENTATION_TEXTS: Final = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")


def without_texts(data: bytes) -> bytes:
    """Return a PNG without its texts and its colour profile.

    Pillow refuses a picture if one of them is longer than a megabyte, as the workflows are that
    generators of pictures keep there, or if they are too long in all. Texts that tell the
    orientation stay, and so does everything from a chunk on that is cut off.

    Source: PNG (third edition), sections 5.3 and 11.3.

    Args:
        data: the file.

    >>> chunk = bytes([0, 0, 0, 2]) + b"tEXt" + b"a\\0" + bytes(4)
    >>> without_texts(b"\\x89PNG\\r\\n\\x1a\\n" + chunk + b"rest")
    b'\\x89PNG\\r\\n\\x1a\\nrest'
    """
    kept, start = [data[:_SIGNATURE_BYTES]], _SIGNATURE_BYTES
    while start + _HEAD_BYTES <= len(data):
        length = int.from_bytes(data[start : start + 4], "big")
        content = start + _HEAD_BYTES
        end = content + length + _CHECKSUM_BYTES
        if end > len(data):
            break
        if not _is_left_out(data[start + 4 : content], data[content : content + 32]):
            kept.append(data[start:end])
        start = end
    return b"".join([*kept, data[start:]])


def _is_left_out(name: bytes, beginning: bytes) -> bool:
    """Whether pixels can be decoded without a chunk of this name that begins so."""
    is_text = name in _TEXTS and not beginning.startswith(_ORIENTATION_TEXTS)
    return is_text or name == _PROFILE
