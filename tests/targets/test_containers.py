"""Tests of the walks over blocks, boxes and segments."""

import io
from typing import Any

import pytest

from bitfold.errors import TargetError
from bitfold.targets.containers import check_complete

MOOV = b"\0\0\0\x08moov"
MDAT = b"\0\0\0\x09mdat1"


@pytest.mark.parametrize(
    ("kind", "content", "complete"),
    [
        ("MP4", MOOV + b"\0\0\0\0mdat123", True),  # the last box reaches to the end
        ("MP4", MOOV + b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x14abcd", True),  # a box with a 64-bit length
        ("MP4", MOOV + b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x15abcd", False),
        ("MP4", MOOV + MDAT + b"\0", True),  # bytes after the last box are no part of the file
        ("MP4", MOOV + MDAT + b"appended text", True),
        ("MP4", MOOV + MDAT + b"\0\0\0\x04free", True),
        ("MP4", MOOV + MDAT + b"\0\0\x10\0free", True),
        ("MP4", MOOV + MDAT + b"\0\0\x10\0moof", False),  # a fragment is missing
        ("MP4", MOOV + b"\0\0\0\x04free", False),  # no frames
        ("MP4", MDAT + b"appended text", False),  # no index
        ("WEBM", b"\x1aE\xdf\xa3\x81x\x18\x53\x80\x67\x82ab", True),
        ("WEBM", b"\x1aE\xdf\xa3\x81x\x18\x53\x80\x67\x83ab", False),
        ("WEBM", b"\x1aE\xdf\xa3\x81x\x18\x53\x80\x67\xffab", True),  # live: length unknown
        ("WEBM", b"\x1aE\xdf\xa3\x81x", False),
        ("GIF", b"GIF89a\1\0\1\0\0\0\0!\xf9\1x\0\0;", True),
        ("GIF", b"GIF89a\1\0\1\0\0\0\0!\xf9\1x\0", False),
        ("GIF", b"GIF89a\1\0\1\0\x80\0\0abcdef,12345678\0\2\1x\0;", True),
        ("GIF", b"GIF89a\1\0\1\0\x80\0\0abcdef,1234", False),
        ("PNG", b"", True),
    ],
)
def test_containers_tell_whether_they_are_complete(
    kind: Any, content: bytes, complete: bool
) -> None:
    """The walk over blocks, boxes and segments finds a missing end."""
    if complete:
        check_complete(io.BytesIO(content), kind, "'a'")
    else:
        with pytest.raises(TargetError, match="ends too early"):
            check_complete(io.BytesIO(content), kind, "'a'")
