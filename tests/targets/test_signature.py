"""Tests of the errors about files that are no pictures."""

from pathlib import Path
from typing import Any

import pytest

from bitfold.errors import TargetError
from bitfold.targets import load_target


def message(source: Any) -> Any:
    """Load a bad file and return the error, which is one line."""
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


@pytest.mark.parametrize("content", [b"hello, world", b"\0", b"RIFF1234XXXX"])
def test_a_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    """A file that is no picture shows how it begins and lists what is possible."""
    (tmp_path / "a.png").write_bytes(content)
    assert "PNG, JPEG, WebP, AVIF, JPEG 2000, BMP, TIFF, GIF" in message(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "a CR3 raw photograph"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"II*\0\x10\0\0\0CR\2\0", "a CR2 raw photograph"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"RIFF\0\0\0\0AVI LIST", "an AVI clip"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a WAVE sound"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, start: bytes, name: str) -> None:
    """A known kind that bitfold does not read is called by its name, and never damaged."""
    (tmp_path / "a.avif").write_bytes(start + bytes(32))
    text = message(tmp_path / "a.avif")
    assert f"got {name}. Convert it" in text


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
