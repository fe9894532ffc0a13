"""Decoders' messages on standard error are kept; other threads' messages are not lost."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bitfold.runtime.strangers.library_noise import captured_noise


def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that no other threads run, which a test runner may have."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def test_noise_is_kept_and_not_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Noise is kept as non-empty lines and not printed; then standard error works as before."""
    alone(monkeypatch)
    with captured_noise() as noise:
        os.write(2, b"first\n\n  second\xff\n")
    os.write(2, b"after\n")
    assert noise == ["first", "second\ufffd"]
    assert capfd.readouterr().err == "after\n"


def test_words_of_other_threads_are_written_on(capfd: pytest.CaptureFixture[str]) -> None:
    """Messages of other threads, which may mix with the noise, are written on."""
    told, written = threading.Event(), threading.Event()

    def tell() -> None:
        told.wait()
        os.write(2, b"another thread's\n")
        written.set()

    thread = threading.Thread(target=tell)
    thread.start()
    with captured_noise() as noise:
        told.set()
        written.wait()
        assert capfd.readouterr().err == ""
    thread.join()
    assert noise == ["another thread's"]
    assert capfd.readouterr().err == "another thread's\n"


def test_two_blocks_at_once_wait_for_each_other(capfd: pytest.CaptureFixture[str]) -> None:
    """Two concurrent blocks each get their own lines, and standard error works afterwards."""
    found: dict[int, list[str]] = {}

    def capture(number: int) -> None:
        for _ in range(50):
            with captured_noise() as noise:
                os.write(2, b"%d\n" % number)
            found.setdefault(number, []).extend(noise)

    threads = [threading.Thread(target=capture, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [str(number)] * 50 for number in range(4)}
    capfd.readouterr()
    os.write(2, b"there\n")
    assert capfd.readouterr().err == "there\n"


def test_an_error_in_the_block_gives_standard_error_back(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """After an error in the block, standard error works and the lines are kept."""
    alone(monkeypatch)
    file = tmp_path / "missing"
    with pytest.raises(OSError, match="missing"), captured_noise() as noise:
        os.write(2, b"odd\n")
        file.read_bytes()
    assert noise == ["odd"]
    os.write(2, b"there\n")
    assert capfd.readouterr().err == "there\n"
