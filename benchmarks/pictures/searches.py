"""`bitfold picture` in a benchmark: a search whose budget is processor time, with its file."""

from __future__ import annotations

import base64
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitfold.experiments import Goal, compress_picture
from bitfold.experiments.pictures.search import decoded_picture
from bitfold.training import Session
from bitfold.training.time_budget import TimeBudget

#: The number of times that a file is drawn; the fastest counts.
_DRAWN = 5


def searched(pixels: NDArray[np.uint8], num_bytes: int, seconds: float) -> dict[str, Any]:
    """Search for a file of a size, as ``bitfold picture`` does it.

    The minutes of each training are processor time, so that a busy machine changes nothing.

    Args:
        pixels: uint8 (height, width, 3).
        num_bytes: the largest size of the file.
        seconds: of training in all.

    Returns:
        What the search found, with the file in base64; decoding is the fastest of five.
    """
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        source, output = Path(folder) / "picture.png", Path(folder) / "picture.bitfold"
        Image.fromarray(pixels).save(source)
        start = time.process_time()

        def counted(session: Session, start: float) -> TimeBudget:
            del start  # this search counts processor seconds instead
            return TimeBudget(session, clock=time.process_time)

        with mock.patch("bitfold.training.new_run.TimeBudget", counted):
            found = compress_picture(source, output, Goal(num_bytes=num_bytes), seconds / 60)
        spent = time.process_time() - start
        if found.exit_code:  # a stopped search has no result
            raise KeyboardInterrupt(f"exit code {found.exit_code}")
        best = found.best
        assert best is not None
        height, width, _ = pixels.shape
        times = []
        for _ in range(_DRAWN):
            begin = time.process_time()
            decoded_picture(output, width, height)
            times.append(time.process_time() - begin)
        return {
            "num_bytes": best.size, "shape": best.shape, "encoding": best.encoding,
            "encoding_seconds": round(spent, 1), "decoding_ms": round(1000 * min(times), 1),
            "file": base64.b64encode(output.read_bytes()).decode(),
        }  # fmt: skip


def drawn(file: str, side: int) -> NDArray[np.uint8]:
    """Draw the file of a result of `searched`, as uint8 (side, side, 3)."""
    with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
        path = Path(folder) / "picture.bitfold"
        path.write_bytes(base64.b64decode(file))
        return decoded_picture(path, side, side)
