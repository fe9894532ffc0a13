"""The first interrupt asks for a stop, and the second interrupts."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from bitfold.training.watch import stop_request
from bitfold.training.watch.stop_request import StopRequest, stop_requests


@pytest.mark.parametrize(
    ("number", "reason", "exit_code"),
    [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)],
)
def test_a_signal_becomes_a_request(number: signal.Signals, reason: str, exit_code: int) -> None:
    """A signal becomes a request with the shell's exit code, and the old handlers come back."""
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    request = StopRequest()
    with stop_requests(request):
        assert (request.reason, request.is_urgent()) == (None, False)
        signal.raise_signal(number)
        assert (request.reason, request.exit_code) == (reason, exit_code)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_closed_terminal_asks_once() -> None:
    """The signals of a closed terminal, from the system and the shell, are one request."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
    try:
        request = StopRequest()
        with stop_requests(request):
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)
            assert (request.reason, request.exit_code) == ("terminated", 129)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_under_nohup_a_closed_terminal_asks_nothing() -> None:
    """The signal of a closed terminal stays ignored if it was, as ``nohup`` has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        request = StopRequest()
        with stop_requests(request):
            signal.raise_signal(signal.SIGHUP)
        assert request.reason is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_request_becomes_urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request becomes urgent after some seconds."""
    request = StopRequest("interrupted", 130, time.monotonic())
    assert not request.is_urgent()
    monkeypatch.setattr(stop_request, "PATIENCE_SECONDS", -1.0)
    assert request.is_urgent()


def test_in_another_thread_there_are_no_signals() -> None:
    """In another thread no handlers are set, and the request stays empty."""
    found: list[str | None] = []

    def look() -> None:
        request = StopRequest()
        with stop_requests(request):
            found.append(request.reason)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [None]
