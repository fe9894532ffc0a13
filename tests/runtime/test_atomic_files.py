"""Atomic files, which are whole or absent."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from bitfold.runtime import atomic_files as files
from bitfold.runtime.atomic_files import AppendOnlyFile, write_atomically
from tests.training.training_runs import run_in_child


def grow_until_refused(folder: str) -> None:
    """Write under a limit on file sizes, as on a full disk, in a process of its own."""
    path = Path(folder)
    old = path / "old"
    old.write_bytes(b"old")
    grown = AppendOnlyFile(path / "grown")
    grown.append(b"a" * 60)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    writes: list[Callable[[], None]] = [
        lambda: grown.append(b"b" * 60),
        lambda: write_atomically(old, b"n" * 200),
    ]
    for write in writes:
        with pytest.raises(OSError, match="File too large"):
            write()
    grown.append(b"c" * 30)


def test_a_write_that_the_system_refuses_leaves_no_trace(tmp_path: Path) -> None:
    """After a refused write, a record is absent and a file has its old content."""
    assert run_in_child(grow_until_refused, str(tmp_path)) == 0
    assert (tmp_path / "grown").read_bytes() == b"a" * 60 + b"c" * 30
    assert (tmp_path / "old").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"grown", "old"}


def test_a_file_is_replaced(tmp_path: Path) -> None:
    """A replaced file has the new content, and no other file is left beside it."""
    path = tmp_path / "file"
    for content in (b"first", b"", b"third"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_synced_folders_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that cannot sync folders causes no error, as the file is already in place."""

    def refuse(folder: Path) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(files, "_sync_folder", refuse)
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_file_that_grows_keeps_what_it_has(tmp_path: Path) -> None:
    """Opening a growing file again appends at its end."""
    for record in (b"one", b"two"):
        file = AppendOnlyFile(tmp_path / "file")
        file.append(record)
        file.sync()
        file.close()
    assert (tmp_path / "file").read_bytes() == b"onetwo"
