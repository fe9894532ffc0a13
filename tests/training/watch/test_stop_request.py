"""The first interrupt asks for a stop, and the second interrupts."""

from __future__ import annotations

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
