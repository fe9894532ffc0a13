"""The process that makes one file that a page saves: it reads one request, and answers it."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from bitfold.errors import BitfoldError, StudioError
from bitfold.experiments.partition_output import PartitionLook, write_partition
from bitfold.polytopes import partition
from bitfold.recording.network_view import slice_plane
from bitfold.studio.bits_message import code_moment
from bitfold.studio.export.replay_page import write_replay_page
from bitfold.studio.viewer.graph import write_dual_graph
from bitfold.studio.viewer.run_view import RunView
from bitfold.studio.viewer.video import video_of
from bitfold.studio.viewer.window import Window
from bitfold.studio.wire.message import Message
from bitfold.studio.wire.pipe import Sender, leave_signals_to_server, own_output, received
from bitfold.training import load_run

#: Formats of a window's partition.
PARTITION_FORMATS: Final = ("svg", "pdf", "png", "npz", "graphml")
_NETWORK: Final = "bitfold"
_VIDEO: Final = "mp4"
_REPLAY: Final = "html"
# Shortest time between two messages about progress.
_LEAST_SECONDS: Final = 0.2


class _Progress:
    """Tells a page how far a file is, a few times a second.

    Args:
        client: the number of the page.
        what: is being done.
        send: takes the messages.
    """

    def __init__(self, client: int, what: str, send: Callable[[Message], None]) -> None:
        self._client, self._what, self._send = client, what, send
        self._last_seconds = -_LEAST_SECONDS

    def __call__(self, done: int, total: int) -> None:
        """Tell it, unless it was told just before."""
        now = time.monotonic()
        if now - self._last_seconds < _LEAST_SECONDS:
            return
        self._last_seconds = now
        facts = {"client": self._client, "done": done, "total": total}
        self._send(Message("progress", {**facts, "text": f"{self._what}: {done} of {total}."}))


def saved(request: Message, send: Callable[[Message], None]) -> Message:
    """Return the file that a request asks for.

    Args:
        send: takes messages ``progress`` about a file that takes long.
        request: ``path`` of the run, ``epoch``, ``format``, ``faces``, the window, and ``weights``
            if the epoch is not one that the run has kept.

    Raises:
        BitfoldError: the file cannot be made.
    """
    facts = request.facts
    kind = facts["format"]
    if kind == _NETWORK:
        data = code_moment(load_run(facts["path"]), facts["epoch"]).data
    elif kind in PARTITION_FORMATS:
        data = _partition_file(request)
    elif kind == _REPLAY:
        told = _Progress(facts["client"], f"Cutting the moments of {facts['run']}", send)
        data = _replay_page(facts["path"], told)
    elif kind == _VIDEO:
        told = _Progress(facts["client"], f"Drawing the video of {facts['run']}", send)
        data = video_of(facts["path"], Window.of(facts), facts["faces"], told)
    else:
        raise StudioError(f"Cannot save {kind}: expected one of {', '.join(PARTITION_FORMATS)}.")
    name = f"{facts['run']}-epoch-{facts['epoch']}.{kind}"
    array = np.frombuffer(data, np.uint8)
    return Message("file", {"client": facts["client"], "name": name}, {"data": array})


def _replay_page(run: str, told: Callable[[int, int], None]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="bitfold-studio-") as folder:
        path = Path(folder) / "run.html"
        write_replay_page(path, run, told=told)
        return path.read_bytes()


def _partition_file(request: Message) -> bytes:
    facts = request.facts
    shown = RunView(facts["path"])
    shown.show(request.arrays.get("weights"), facts["epoch"])
    window = Window.of(facts)
    x, y, half = window.x, window.y, window.half
    domain = (x - half * window.aspect, y - half), (x + half * window.aspect, y + half)
    found = partition(shown.view.network, domain, slice_plane(window.time), with_outputs=True)
    with tempfile.TemporaryDirectory(prefix="bitfold-studio-") as folder:
        path = Path(folder) / f"file.{facts['format']}"
        if path.suffix == ".graphml":
            write_dual_graph(found, path)
        else:
            write_partition(found, shown.view, path, PartitionLook(faces=facts["faces"]))
        return path.read_bytes()


def main() -> int:
    """Answer one request."""
    leave_signals_to_server()
    # Whoever waits for the file has gone: its temporary folder goes too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    send = Sender(own_output())
    for request in received(sys.stdin.buffer):
        try:
            send(saved(request, send))
        except BitfoldError as error:
            client = request.facts["client"]
            send(Message("refused", {"client": client, "text": str(error)}))
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
