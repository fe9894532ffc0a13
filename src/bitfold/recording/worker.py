"""The process that draws while another one trains.

The worker reads the trajectory while it grows. It may lag behind; training never waits for it.
Each line of its standard input is one word:

- ``frame``: a frame was appended;
- ``file``: a model file will be written after training; compile its loops when no frame is left;
- ``finish``: draw all frames, then end;
- ``stop``: end after the current frame.

If the input ends without ``finish`` or ``stop``, the trainer has died, and the worker stops too.
The frames that it has drawn are kept, and a later worker continues from them. It answers in lines
of JSON: ``drawn`` with the ``seconds`` that the frame took, its ``processor_seconds`` and the
``queued_seconds`` in which it waited for a processor, both also since the process began, as
``spent`` and ``queued``; ``notice`` or ``problem``. Queued times are null where the system does not
count them.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TextIO

import torch

from bitfold.errors import BitfoldError
from bitfold.recording.drawing import Drawing
from bitfold.recording.files.drawing_paths import DrawingPaths
from bitfold.recording.frame_style import FrameStyle
from bitfold.recording.loss_figure import draw_loss_figure
from bitfold.recording.warm_up import warm_up_files
from bitfold.runtime.memory.kept_memory import keep_freed_memory
from bitfold.runtime.strangers.lock_files import locked
from bitfold.training import Run, load_run

_LOCK_SECONDS = 120.0  # an earlier worker ends within one frame of its trainer's death


class Orders:
    """The orders of the trainer, read by a thread of its own.

    Args:
        source: one word a line.
    """

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._news = threading.Event()
        self.is_finishing = False
        self.is_file_expected = False
        self.is_stopping = False
        threading.Thread(target=self._listen, daemon=True).start()

    def wait(self) -> None:
        """Wait for the next word."""
        self._news.wait()
        self._news.clear()

    def _listen(self) -> None:
        for line in self._source:
            self.is_finishing |= line.strip() == "finish"
            self.is_file_expected |= line.strip() == "file"
            self.is_stopping |= line.strip() == "stop"
            self._news.set()
        self.is_stopping |= not self.is_finishing
        self._news.set()


def _queued_seconds(source: Path = Path("/proc/thread-self/schedstat")) -> float | None:
    """Return how long this thread has waited for a processor; None where nobody counts it.

    Linux writes three numbers: nanoseconds on a processor, nanoseconds of waiting for one, and how
    often the thread got one.
    """
    try:
        return int(source.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return None


def follow(run: Run, orders: Orders) -> None:
    """Draw a run's frames until told to finish or to stop."""
    with closing(Drawing(run, FrameStyle.of(run.config), DrawingPaths.of(run))) as drawing:
        while not orders.is_stopping:
            finishing = orders.is_finishing
            start, before, waited = time.monotonic(), time.process_time(), _queued_seconds()
            for epoch in drawing.draw_new():
                now, spent, queued = time.monotonic(), time.process_time(), _queued_seconds()
                took = {"seconds": now - start, "processor_seconds": spent - before, "spent": spent}
                lost = None if queued is None or waited is None else queued - waited
                _say({"drawn": epoch, **took, "queued_seconds": lost, "queued": queued})
                start, before, waited = now, spent, queued
                if orders.is_stopping:
                    break
            if finishing:
                break
            if orders.is_file_expected and not orders.is_stopping:
                orders.is_file_expected = False
                with suppress(OSError):  # no room for a file: whoever writes one will say so
                    warm_up_files(run)
            elif not orders.is_stopping:
                orders.wait()
    if orders.is_finishing:
        draw_loss_figure([run], run.path / "loss.png")


def main() -> int:
    """Follow the run whose folder is the first argument; the second is its ``snapshot_dir``."""
    torch.set_num_threads(1)
    keep_freed_memory()
    logging.getLogger("bitfold").addHandler(_Teller())
    path, snapshot_dir = Path(sys.argv[1]), next(iter(sys.argv[2:]), None)
    orders = Orders(sys.stdin)
    try:
        with locked(path / ".drawing.lock", _LOCK_SECONDS):
            follow(load_run(path, snapshot_dir=snapshot_dir), orders)
    except BitfoldError as error:
        _say({"problem": str(error)})
        return 1
    except OSError as error:
        _say({"problem": f"Cannot draw {path}: {error.strerror or error}."})
        return 1
    return 0


class _Teller(logging.Handler):
    """Sends the trainer the package's log messages, such as that loops are compiled."""

    def emit(self, record: logging.LogRecord) -> None:
        _say({"notice": record.getMessage()})


def _say(message: dict[str, object]) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except OSError:
        return  # the trainer has died; the input's end says so too


if __name__ == "__main__":
    sys.exit(main())
