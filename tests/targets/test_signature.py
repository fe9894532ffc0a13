"""Tests of what is said about files that are no pictures."""

import io
from pathlib import Path
from typing import Any

import pytest

from bitfold.errors import TargetError
from bitfold.targets import load_target
from bitfold.targets.signature import check_complete


def message(source: Any) -> Any:
    """Load what cannot be loaded and give the message, which is one line."""
    with pytest.raises(TargetError) as caught:
        load_target(str(source))
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("Cannot load ")
    assert ": expected " in text
    assert ", got " in text
    assert text.endswith((".", "?"))
    return text


def test_a_missing_file(tmp_path: Path) -> None:
    """A path without a file says so and names it."""
    assert "no such file" in message(tmp_path / "nowhere.png")
    assert "nowhere.png" in message("nowhere.png")


def test_a_directory(tmp_path: Path) -> None:
    """A directory is not a picture."""
    assert "a directory" in message(tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    """A file without bytes is called empty."""
    (tmp_path / "a.png").touch()
    assert "an empty file" in message(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"hello, world", b"\0", b"%PDF-1.7\n", b"RIFF1234WAVEfmt "])
def test_a_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    """A file that is no picture shows how it begins and lists what is possible."""
    (tmp_path / "a.png").write_bytes(content)
    assert "PNG, JPEG, WebP, BMP, TIFF or GIF" in message(tmp_path / "a.png")


@pytest.mark.parametrize("brand", [b"avif", b"heic"])
def test_a_still_in_an_mp4_container(tmp_path: Path, brand: bytes) -> None:
    """AVIF and HEIC are named as unknown kinds, not as damaged videos."""
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(32))
    assert "begins with" in message(tmp_path / "a.avif")


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"GIF89a"]
)
def test_a_signature_alone(tmp_path: Path, content: bytes) -> None:
    """A file that stops after its signature is damaged."""
    (tmp_path / "a").write_bytes(content)
    assert "complete" in message(tmp_path / "a")


def test_impossible_paths() -> None:
    """Paths that no system call takes are errors like any other."""
    message("a\0b.png")
    message("x" * 5000 + ".png")
    message("a\nb.png")


def test_an_overlong_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the limit is refused unread."""
    monkeypatch.setattr("bitfold.targets.signature.MAX_FILE_BYTES", 10)
    (tmp_path / "a.png").write_bytes(bytes(11))
    assert "at most 10 bytes, got 11" in message(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["ring", "./ring"])
def test_a_built_in_name_wins_over_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A file with a built-in's name is reached by a path with a slash."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ring").write_bytes(b"no picture")
    if name == "ring":
        assert load_target(name, size=8).out_features == 1
    else:
        assert "begins with" in message(name)


@pytest.mark.parametrize(
    ("kind", "content", "complete"),
    [
        ("MP4", b"\0\0\0\x08free\0\0\0\0mdat123", True),  # the last box reaches to the end
        ("MP4", b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x14abcd", True),  # a box with a 64-bit length
        ("MP4", b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x15abcd", False),
        ("MP4", b"\0\0\0\x04free", False),  # a length below the header's
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
