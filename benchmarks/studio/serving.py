"""A studio in a process of its own, and clients without a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import connect

from bitfold.studio.wire.message import VERSION, Message, decode

#: The first settings of each run; its epochs do not end within a measurement.
RUN: Mapping[str, Any] = {
    "target": "ring",
    "points": 5000,
    "kolmogorov_weight": 0.01,
    "epochs": 10**7,
    "snapshot_format": "none",
    "seed": 0,
}
#: The window of the whole picture.
WINDOW: Mapping[str, Any] = {"view": 0, "x": 0, "y": 0, "half": 0.5, "aspect": 1, "faces": "value"}
NAME = "ring"
_SERVER = """
import json, sys
from bitfold.studio import serve
serve(sys.argv[1], begin=json.loads(sys.argv[2]), ready=lambda url: print(url, flush=True))
"""
_PATIENCE_SECONDS = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Serving:
    """A running studio with one run, paused at epoch 0.

    Args:
        url: of its page, with the token.
        pid: of the server.
        seconds: from its start until it told the URL.
    """

    url: str
    pid: int
    seconds: float

    def processes(self) -> dict[str, int]:
        """Return the server's process and its child processes, by module."""
        found = {"server": self.pid}
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        for child in map(int, listed.split()):
            words = Path(f"/proc/{child}/cmdline").read_text()
            found["trainer" if "trainer.worker" in words else "cutter"] = child
        return found

    def processor_seconds(self, process: str) -> float:
        """Return one process's processor time so far."""
        text = Path(f"/proc/{self.processes()[process]}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _TICKS

    def all_processor_seconds(self) -> float:
        """Return the processor time of all `processes` together."""
        return sum(self.processor_seconds(name) for name in self.processes())

    def resident_bytes(self, process: str) -> int:
        """Return the memory of one process."""
        status = Path(f"/proc/{self.processes()[process]}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@contextmanager
def serving(*, before: str = "", **settings: Any) -> Iterator[Serving]:
    """Start a studio with a run; stop it at the end of the block.

    Args:
        before: a program that the server's process runs first.
        settings: of the run, beside those of `RUN`.
    """
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        given = json.dumps({**RUN, **settings})
        command = [sys.executable, "-c", before + _SERVER, f"{folder}/runs", given]
        began = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            try:
                yield Serving(url, server.pid, time.monotonic() - began)
            finally:  # else an error would wait for the server without end
                server.terminate()
                server.wait(_PATIENCE_SECONDS)


class Client:
    """A client without a browser, which reads all messages and acknowledges each partition.

    Args:
        studio: the studio to connect to.
    """

    def __init__(self, studio: Serving) -> None:
        base, _, fragment = studio.url.partition("/#")
        token = fragment.partition("token=")[2].partition("&")[0]
        address = f"{base.replace('http', 'ws')}/socket"
        self._socket = connect(address, max_size=None, compression=None)
        self.say("hello", token=token, version=VERSION)
        self.say("open", run=NAME)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def say(self, kind: str, **fields: Any) -> None:
        """Send a command."""
        self._socket.send(json.dumps({"kind": kind, **fields}))

    def look(self) -> None:
        """Ask for the whole picture from now on."""
        self.say("look", run=NAME, **WINDOW)

    def hear(self, kind: str) -> Message:
        """Wait for the next message of a kind."""
        end = time.monotonic() + _PATIENCE_SECONDS
        for message in self.messages(until=end):
            if message.kind == kind:
                return message
        raise TimeoutError(kind)

    def messages(self, until: float) -> Iterator[Message]:
        """Yield messages until a moment of the monotonic clock."""
        while (left := until - time.monotonic()) > 0:
            try:
                data = self._socket.recv(timeout=left)
            except TimeoutError:
                return
            assert isinstance(data, bytes)
            message = decode(data)
            if message.kind == "partition":
                self.say("ack", view=0)
            yield message


def epoch_of(studio: Serving) -> int:
    """Connect, and return the run's newest epoch."""
    with Client(studio) as client:
        return int(client.hear("moment").facts["epoch"])


def wait_for_epoch(studio: Serving, epoch: int) -> None:
    """Connect, train until an epoch, and leave the run training."""
    with Client(studio) as client:
        client.say("play", run=NAME)
        while int(client.hear("moment").facts["epoch"]) < epoch:
            pass
