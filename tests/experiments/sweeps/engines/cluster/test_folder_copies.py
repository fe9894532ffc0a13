"""Copies of a member's files: only new bytes are sent, and a hostile message writes nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bitfold.errors import RunError
from bitfold.experiments.sweeps.engines.cluster.folder_copies import OutgoingFiles, write_copies

NAMES = ("a", "a.bitfold")


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def message(files: list[tuple[object, object, object]], gone: list[object], data: bytes) -> bytes:
    """Return a message with a given header."""
    header = json.dumps({"files": files, "gone": gone}).encode()
    return len(header).to_bytes(4, "little") + header + data


def test_a_copy_follows_what_is_written_appended_and_deleted(tmp_path: Path) -> None:
    """A grown file sends only its end, and an unchanged file nothing."""
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "a" / "checkpoints").mkdir(parents=True)
    there.mkdir()
    files = OutgoingFiles(here, NAMES)
    (here / "a" / "metrics.jsonl").write_bytes(b"m" * 5000)
    (here / "a" / "checkpoints" / "one").write_bytes(b"c" * 3000)
    (here / "a" / ".lock").write_bytes(b"")
    (here / "other").write_bytes(b"of another member")
    write_copies(there, NAMES, files.news())
    assert contents(there) == {"a/metrics.jsonl": b"m" * 5000, "a/checkpoints/one": b"c" * 3000}
    with (here / "a" / "metrics.jsonl").open("ab") as log:
        log.write(b"n" * 70)
    (here / "a" / "checkpoints" / "one").unlink()
    (here / "a" / "checkpoints" / "two").write_bytes(b"d" * 200)
    (here / "a.bitfold").write_bytes(b"whole")
    news = files.news()
    assert 275 < len(news) < 600
    write_copies(there, NAMES, news)
    assert contents(there) == {
        name: data for name, data in contents(here).items() if name != "other"
    }
    assert len(files.news()) < 50


def test_a_file_that_was_cut_or_rewritten_is_sent_whole(tmp_path: Path) -> None:
    """A shortened file, or one with new content of the same length, is sent whole."""
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "a").mkdir(parents=True)
    there.mkdir()
    files, path = OutgoingFiles(here, NAMES), here / "a" / "metrics.jsonl"
    for content in (b"12345678", b"1234", b"1234abcd", b"abcd1234", b""):
        path.write_bytes(content)
        os.utime(path, ns=(0, len(content) + content[0] if content else 1))
        write_copies(there, NAMES, files.news())
        assert contents(there) == {"a/metrics.jsonl": content}


@pytest.mark.parametrize(
    "name",
    ["../a", "/etc/passwd", "a/../../x", "b/x", "a/.lock", "a//x", "", "a/\x1b[2J",
     "a/" + "x" * 300, "a/b/c/d/e", "a\\..\\x", "a/nul\x00"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    """Names that lead outside are refused, for writing and for deleting."""
    for given in (message([(name, 0, 1)], [], b"x"), message([], [name], b"")):
        with pytest.raises(RunError, match="expected names of the member's files"):
            write_copies(tmp_path / "there", NAMES, given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"\xff\xff\xff\xff{}",
        b"\x02\x00\x00\x00{}",
        message([("a/x", 0, 5)], [], b"1234"),
        message([("a/x", 0, -1)], [], b""),
        message([("a/x", "many", 1)], [], b"1"),
        message([("a/x", 0)], [], b""),  # type: ignore[list-item] # that is the point
        message([("a/x", 0, 1e400)], [], b"1"),
        b"\x10\x27\x00\x00" + b"[" * 10_000,
    ],
)
def test_damaged_messages_are_refused(tmp_path: Path, given: bytes) -> None:
    """A damaged message is refused in one line before any file is written."""
    with pytest.raises(RunError, match="Cannot take a member's files from a worker") as error:
        write_copies(tmp_path / "there", NAMES, given)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_links_are_followed_nowhere(tmp_path: Path) -> None:
    """No link is followed, neither the sender's nor one in the place of a file."""
    outside, here, there = tmp_path / "outside", tmp_path / "here", tmp_path / "there"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (here / "a").mkdir(parents=True)
    there.mkdir()
    (here / "a" / "link").symlink_to(outside / "secret")
    (here / "a.bitfold").symlink_to(outside / "secret")
    assert b"secret" not in OutgoingFiles(here, NAMES).news()
    (there / "a").symlink_to(outside)
    with pytest.raises(OSError, match="expected a plain folder, got a symbolic link"):
        write_copies(there, NAMES, message([("a/secret", 0, 1)], [], b"x"))
    with pytest.raises(OSError, match="expected a plain folder, got a symbolic link"):
        write_copies(there, NAMES, message([], ["a/secret"], b""))
    assert (outside / "secret").read_bytes() == b"secret"


def test_an_end_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Bytes are not appended to a file that is shorter than the sender believes."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"12")
    with pytest.raises(RunError, match="at least 3 bytes"):
        write_copies(tmp_path, NAMES, message([("a/x", 3, 1)], [], b"4"))
