"""Requests of a person or the system to stop training after the current epoch."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

#: An epoch is given up if it goes on for longer than this after a request.
PATIENCE_SECONDS = 2.0
_SIGNALS = {signal.SIGINT: ("interrupted", 130), signal.SIGTERM: ("terminated", 143)}
# Of a terminal that is closed: from the system, and often once more from the shell.
_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none
if _HANGUP is not None:
    _SIGNALS[_HANGUP] = ("terminated", 129)


@dataclass
class StopRequest:
    """Whether and why training was asked to stop.

    Args:
        reason: ``interrupted`` or ``terminated``; None before a request.
        exit_code: the exit code that a shell expects after the signal.
        asked_at: time of the request, by `time.monotonic`.
    """

    reason: str | None = None
    exit_code: int = 0
    asked_at: float = math.inf

    def ask(self, reason: str, exit_code: int = 0) -> None:
        """Ask for a stop after the current epoch; the first reason counts."""
        if self.reason is None:
            self.reason, self.exit_code, self.asked_at = reason, exit_code, time.monotonic()

    def is_urgent(self) -> bool:
        """Whether the request is too old to wait for the end of the epoch."""
        return time.monotonic() - self.asked_at > PATIENCE_SECONDS


@contextmanager
def stop_requests(request: StopRequest) -> Iterator[None]:
    """Turn the first signal into a request; a second one raises `KeyboardInterrupt`.

    The signal of a terminal that is closed comes twice, and raises nothing.

    Only the main thread can catch signals; in other threads the request stays empty. Under
    ``nohup`` a closed terminal stays ignored.

    Args:
        request: takes the reason and the exit code that a shell expects after the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if request.reason is None:
            request.ask(*_SIGNALS[signal.Signals(number)])
        elif number != _HANGUP:
            raise KeyboardInterrupt

    before: dict[signal.Signals, Callable[..., Any] | int | None] = {
        number: signal.signal(number, ask)
        for number in _SIGNALS
        if number != _HANGUP or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
