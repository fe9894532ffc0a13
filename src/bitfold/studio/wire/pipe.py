"""The ends of a pipe in a process that the studio's server has started."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from bitfold.studio.wire.message import Message, decode, encode

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

#: Each message follows its length in so many bytes.
LENGTH_BYTES = 4
#: The most that Linux lets a user's pipe hold.
PIPE_BYTES = 2**20


class Sender:
    """Writes messages; any thread may send one.

    Args:
        stream: where to; if it is closed, messages are dropped, as nobody reads them.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def __call__(self, message: Message) -> None:
        """Send a message."""
        with self._lock:
            try:
                self._stream.write(framed(encode(message)))
                self._stream.flush()
            except OSError:
                return  # the server has died; the end of the orders says so too


def leave_signals_to_server() -> None:
    """Ignore Ctrl-C and the end of the terminal, which reach the server's processes too.

    The server says when to stop; where it is gone, the orders end.
    """
    for name in ("SIGINT", "SIGHUP"):  # Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def own_output() -> BinaryIO:
    """Return the standard output, and send what libraries print to the standard error."""
    widen_pipe(1)
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return stream


def widen_pipe(descriptor: int) -> None:
    """Let a pipe hold `PIPE_BYTES` where the system can, so that its ends wait seldom for another.

    A partition has 10 MB. Of the usual 64 kB, its two processes would take turns 160 times, each
    time behind those that train.
    """
    resize = getattr(fcntl, "F_SETPIPE_SZ", None)
    if resize is not None:
        with suppress(OSError):  # it is no pipe, or the user has too many of them
            fcntl.fcntl(descriptor, resize, PIPE_BYTES)


def framed(data: bytes) -> bytes:
    """Return a message after its length."""
    return len(data).to_bytes(LENGTH_BYTES, "little") + data


def received(stream: BinaryIO) -> Iterator[Message]:
    """Yield messages until the end of a stream."""
    while True:
        length = stream.read(LENGTH_BYTES)
        data = stream.read(int.from_bytes(length, "little"))
        if len(length) < LENGTH_BYTES or len(data) < int.from_bytes(length, "little"):
            return
        yield decode(data)
