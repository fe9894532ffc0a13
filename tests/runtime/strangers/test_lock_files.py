"""Lock files, also where the file system has no locks."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest
from filelock import FileLock, Timeout

from bitfold.runtime.strangers.lock_files import locked

fcntl = pytest.importorskip("fcntl", reason="Windows has other locks")


def test_one_block_at_a_time_holds_a_lock(tmp_path: Path) -> None:
    """While a block holds a lock, another one is refused, and afterwards it is free."""
    with locked(tmp_path / ".lock", 0), pytest.raises(Timeout):
        FileLock(tmp_path / ".lock").acquire(timeout=0)
    with locked(tmp_path / ".lock", 0):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_without_locks_is_used_without(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file can be locked, as on some network file systems, the block runs all the same."""

    def refuse(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    ran = False
    with locked(tmp_path / ".lock", 0):
        ran = True
    assert ran


def test_a_link_in_the_place_of_a_lock_is_refused(tmp_path: Path) -> None:
    """The file that a link leads to stays as it is."""
    (tmp_path / "victim").write_text("precious")
    (tmp_path / ".lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError), locked(tmp_path / ".lock", 0):
        raise AssertionError("it was locked")
    assert (tmp_path / "victim").read_text() == "precious"
