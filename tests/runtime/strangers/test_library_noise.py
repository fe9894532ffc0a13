"""What decoders print is kept, and nobody else's words are lost."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bitfold.runtime.strangers.library_noise import captured_noise


def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process without other threads; a runner of tests may have some."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def test_noise_is_kept_and_not_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Line by line, without empty ones; then standard error is as before."""
    alone(monkeypatch)
    with captured_noise() as noise:
        os.write(2, b"first\n\n  second\xff\n")
    os.write(2, b"after\n")
    assert noise == ["first", "second\ufffd"]
    assert capfd.readouterr().err == "after\n"


def test_words_of_other_threads_are_written_on(capfd: pytest.CaptureFixture[str]) -> None:
    """They may stand among the noise, from which nothing tells them."""
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
    """Each has its own lines, and standard error is there afterwards."""
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
    """The lines are there too."""
    alone(monkeypatch)
    file = tmp_path / "missing"
    with pytest.raises(OSError, match="missing"), captured_noise() as noise:
        os.write(2, b"odd\n")
        file.read_bytes()
    assert noise == ["odd"]
    os.write(2, b"there\n")
    assert capfd.readouterr().err == "there\n"
