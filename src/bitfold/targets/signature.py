"""What kind of file this is, and whether all of it is there."""

import os
from pathlib import Path
from typing import BinaryIO, Literal

from bitfold.errors import TargetError

Kind = Literal["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "MP4", "WEBM"]

KINDS_TEXT = "a PNG, JPEG, WebP, BMP, TIFF or GIF picture, or an mp4, webm or gif clip"
MAX_FILE_BYTES = 2**30
SIGNATURE_BYTES = 16
# Brands of still pictures that share the mp4 container.
FOREIGN_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"})

_SIGNATURES: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (8, b"WEBP", "WEBP"),
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (4, b"ftyp", "MP4"),
    (0, b"\x1aE\xdf\xa3", "WEBM"),
)


def identify_file(path: Path) -> Kind:
    """Tell a file's kind from its first bytes; its name does not matter.

    Source: the formats' specifications.

    Args:
        path: the file.

    Returns:
        Its kind.

    Raises:
        TargetError: it is missing, a directory, unreadable, empty, above 1 GiB, or of another kind.

    >>> identify_file(Path("nowhere.png"))
    Traceback (most recent call last):
    ...
    bitfold.errors.TargetError: Cannot load 'nowhere.png': expected a picture or clip, got no such
    file. Check the path.
    """
    where = repr(str(path))
    try:
        if path.is_dir():
            raise TargetError(
                f"Cannot load {where}: expected a picture or clip, got a directory. "
                "Name one file in it."
            )
        if not path.is_file():
            got = "something that is no file" if path.exists() else "no such file"
            raise TargetError(
                f"Cannot load {where}: expected a picture or clip, got {got}. Check the path."
            )
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(SIGNATURE_BYTES)
    except (OSError, ValueError) as error:
        raise TargetError(
            f"Cannot load {where}: expected a readable file, got {one_line(error)}. "
            "Check the path and its permissions."
        ) from error
    _check_size(where, size)
    for offset, mark, kind in _SIGNATURES:
        if start[offset : offset + len(mark)] == mark and start[8:12] not in FOREIGN_BRANDS:
            return kind
    raise TargetError(
        f"Cannot load {where}: expected {KINDS_TEXT}, got a file that begins with "
        f"{start[:8]!r}. Convert it to PNG or mp4."
    )


def check_complete(stream: BinaryIO, kind: Kind, where: str) -> None:
    """Refuse a GIF, mp4 or webm whose own structure says that bytes are missing.

    Decoders of these kinds give what is there and say nothing about the rest. Other kinds pass.

    Source: GIF89a specification, ISO/IEC 14496-12 section 4.2, RFC 8794 section 4.

    Args:
        stream: the file, seekable; its position afterwards is not defined.
        kind: what `identify_file` said.
        where: names the file in the message.

    Raises:
        TargetError: the file ends too early.

    >>> import io
    >>> check_complete(io.BytesIO(bytes([0, 0, 0, 8]) + b"free"), "MP4", "'a.mp4'")
    """
    num_bytes = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if kind == "GIF":
        complete = _gif_is_complete(stream)
    elif kind == "MP4":
        complete = _boxes_are_complete(stream, num_bytes)
    elif kind == "WEBM":
        complete = _segment_is_complete(stream, num_bytes)
    else:
        complete = True
    if not complete:
        raise TargetError(
            f"Cannot load {where}: expected a complete {kind} file, got one that ends too early "
            f"at {num_bytes} bytes. Copy or download it again."
        )


def one_line(error: BaseException) -> str:
    """Shorten an exception's text to one line.

    >>> one_line(ValueError("a\\n  b"))
    'a b'
    """
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _check_size(where: str, num_bytes: int) -> None:
    if num_bytes == 0:
        raise TargetError(
            f"Cannot load {where}: expected {KINDS_TEXT}, got an empty file. "
            "Copy or download it again."
        )
    if num_bytes > MAX_FILE_BYTES:
        raise TargetError(
            f"Cannot load {where}: expected at most {MAX_FILE_BYTES} bytes, got {num_bytes}. "
            "Cut it shorter or scale it down."
        )


def _gif_is_complete(stream: BinaryIO) -> bool:
    """Walk the blocks of a GIF up to its trailer."""
    header = stream.read(13)
    if len(header) < 13:
        return False
    stream.seek(_colour_table_bytes(header[10]), os.SEEK_CUR)
    while True:
        mark = stream.read(1)
        if mark == b";":
            return True
        if mark == b"!":
            stream.seek(1, os.SEEK_CUR)
        elif mark == b",":
            descriptor = stream.read(9)
            if len(descriptor) < 9:
                return False
            stream.seek(_colour_table_bytes(descriptor[8]) + 1, os.SEEK_CUR)
        elif mark != b"\x00":  # stray zero bytes between blocks are common and harmless
            return False
        if mark != b"\x00" and not _skip_sub_blocks(stream):
            return False


def _skip_sub_blocks(stream: BinaryIO) -> bool:
    while True:
        length = stream.read(1)
        if not length:
            return False
        if length == b"\x00":
            return True
        stream.seek(length[0], os.SEEK_CUR)


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _boxes_are_complete(stream: BinaryIO, num_bytes: int) -> bool:
    """Check that every top-level box of an mp4 ends inside the file."""
    start = 0
    while start < num_bytes:
        stream.seek(start)
        header = stream.read(16)
        if len(header) < 8:
            return False
        length = int.from_bytes(header[:4], "big")
        if length == 0:  # the last box may reach to the end
            return True
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            return False
        start += length
    return start == num_bytes


def _segment_is_complete(stream: BinaryIO, num_bytes: int) -> bool:
    """Check that the segment of a Matroska file ends inside the file; live ones have no length."""
    stream.seek(4)
    header_bytes = _read_length(stream)
    if header_bytes is None:
        return False
    stream.seek(header_bytes, os.SEEK_CUR)
    if stream.read(4) != b"\x18\x53\x80\x67":
        return False
    length = _read_length(stream)
    return length is None or stream.tell() + length <= num_bytes


def _read_length(stream: BinaryIO) -> int | None:
    """Read an EBML length (RFC 8794, section 4.1); None if it is unknown or damaged."""
    first = stream.read(1)
    if not first or first == b"\x00":
        return None
    num_more = 8 - first[0].bit_length()
    raw = first + stream.read(num_more)
    mask = (1 << (7 * (num_more + 1))) - 1
    length = int.from_bytes(raw, "big") & mask
    return None if length == mask else length
