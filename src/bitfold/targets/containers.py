"""Whether a GIF, mp4 or webm is all there, as its own structure tells."""

import os
from typing import BinaryIO

from bitfold.errors import TargetError
from bitfold.targets.signature import Kind

# Boxes of an mp4 whose loss is a loss of frames; what else does not end is no box of the file.
_NEEDED_BOXES = frozenset({b"moov", b"mdat", b"moof"})


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
    >>> boxes = bytes([0, 0, 0, 8]) + b"moov" + bytes([0, 0, 0, 8]) + b"mdat"
    >>> check_complete(io.BytesIO(boxes), "MP4", "'a.mp4'")
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
    """Check that the boxes that hold an mp4's frames and its index end inside the file.

    Bytes behind the last box, which some programs append, are ignored as players ignore them.
    """
    start, found = 0, set[bytes]()
    while start < num_bytes:
        stream.seek(start)
        header = stream.read(16)
        name, length = header[4:8], int.from_bytes(header[:4], "big")
        if length == 0:  # the last box may reach to the end
            length = num_bytes - start
        elif length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:16], "big")
        if len(header) < 8 or length < 8 or start + length > num_bytes:
            if name in _NEEDED_BOXES:
                return False
            break
        found.add(name)
        start += length
    return {b"moov", b"mdat"} <= found


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
