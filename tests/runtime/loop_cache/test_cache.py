"""Tests of machine code on disk: it is kept and found again, and loops work without it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bitfold.runtime.compiling import compiled, is_stored
from bitfold.runtime.loop_cache import cache as loop_cache
from bitfold.runtime.loop_cache import folders as loop_folders
from bitfold.runtime.loop_cache.folders import LoopFolders


@pytest.fixture
def notices(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """Return the messages of bitfold's logger."""
    with caplog.at_level(logging.WARNING, "bitfold"):
        yield lambda: [record.getMessage() for record in caplog.records]


def _double(number: int) -> int:
    return 2 * number


def _make() -> Any:
    """Return the loop as a new process sees it, before any call."""
    return compiled(_double)


def _num_compiled(loop: Any) -> int:
    return sum(loop.stats.cache_misses.values())


def test_a_loop_is_compiled_once_and_loaded_after() -> None:
    """A compiled loop is written to disk, and a second process loads it."""
    first, second = _make(), _make()
    assert not is_stored(first)
    assert first(3) == 6
    assert is_stored(second)
    assert second(3) == 6
    assert (_num_compiled(first), _num_compiled(second)) == (1, 0)


def test_nothing_but_machine_code_is_left_behind(folder: Path) -> None:
    """Only machine code is left on disk: unused locks are deleted."""
    _make()(3)
    assert sorted(path.suffix for path in folder.iterdir()) == [".nbc", ".nbi"]


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize(
    "damage",
    [lambda data: b"", lambda data: data[:-40], lambda data: bytes(len(data))],
    ids=["empty", "cut off", "zeros"],
)
def test_a_damaged_file_counts_as_missing(
    folder: Path,
    notices: Callable[[], list[str]],
    suffix: str,
    damage: Callable[[bytes], bytes],
) -> None:
    """A damaged file gives one line and is replaced by a newly compiled loop."""
    _make()(3)
    (path,) = folder.glob(f"*{suffix}")
    path.write_bytes(damage(path.read_bytes()))
    again, then = _make(), _make()
    assert again(3) == 6
    assert _num_compiled(again) == 1
    assert notices() == [f"A compiled loop in {folder} is damaged. It is compiled anew."]
    assert then(3) == 6
    assert _num_compiled(then) == 0


def test_a_changed_byte_of_machine_code_is_noticed(folder: Path) -> None:
    """A file whose checksum is wrong is never executed."""
    _make()(3)
    (path,) = folder.glob("*.nbc")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    again = _make()
    assert again(3) == 6
    assert _num_compiled(again) == 1


def test_without_a_folder_loops_stay_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notices: Callable[[], list[str]]
) -> None:
    """Without a folder, loops stay in memory, and one line names the variable to set."""
    (tmp_path / "file").touch()
    folders = LoopFolders((tmp_path / "file" / "a", tmp_path / "file" / "b"))
    monkeypatch.setattr(loop_cache, "loop_folders", lambda: folders)
    first, second = _make(), _make()
    assert (first(3), second(4)) == (6, 8)
    assert not is_stored(first)
    assert notices() == [
        f"Cannot keep compiled loops in {tmp_path}/file/a or {tmp_path}/file/b. Every process "
        "compiles them anew. Set NUMBA_CACHE_DIR to a folder that can be written."
    ]


def test_a_disk_that_is_full_costs_time_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, notices: Callable[[], list[str]]
) -> None:
    """A full disk gives one line for the first loop; no other write is tried and loops work."""

    def refuse(*_: Any) -> None:
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr(loop_cache._CheckedFile, "_open_for_write", refuse)
    first, second = _make(), _make()
    assert (first(3), second(4)) == (6, 8)
    assert len(notices()) == 1
    assert notices()[0].startswith(f"Cannot keep compiled loops in {folder}: File too large.")


def test_a_folder_that_cannot_be_written_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops in a read-only folder, as a container's build leaves, are loaded."""
    _make()(3)
    found = loop_cache.loop_folders()  # type: ignore[attr-defined] # the fixture's
    folders = LoopFolders(found.candidates)
    monkeypatch.setattr(loop_folders, "_can_be_written", lambda folder: False)
    monkeypatch.setattr(loop_cache, "loop_folders", lambda: folders)
    loop = _make()
    assert loop(3) == 6
    assert _num_compiled(loop) == 0


def test_the_code_of_another_version_is_deleted(folder: Path) -> None:
    """A changed loop replaces the file of its previous version."""
    _make()(3)
    old = [
        path.rename(path.with_name(path.name.replace("-", "-0", 1))) for path in folder.iterdir()
    ]
    _make()(3)
    assert len(list(folder.iterdir())) == 2
    assert not any(path.exists() for path in old)


def test_a_user_without_a_home_gets_no_folder_in_the_current_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A user without a home, as in containers, gets no cache in the current folder."""
    monkeypatch.setattr(loop_folders._CONFIG, "CACHE_DIR", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    (package,) = loop_folders.loop_folders.__wrapped__().candidates
    assert package.is_absolute()


def test_numbas_variable_decides_where_loops_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With NUMBA_CACHE_DIR no other folder is read or written."""
    monkeypatch.setattr(loop_folders._CONFIG, "CACHE_DIR", str(tmp_path / "given"))
    (only,) = loop_folders.loop_folders.__wrapped__().candidates
    assert only.parent == tmp_path / "given"
    monkeypatch.setattr(loop_folders._CONFIG, "CACHE_DIR", "")
    beside, users = loop_folders.loop_folders.__wrapped__().candidates
    assert beside.name == "__pycache__"
    assert users.name == only.name
