"""``metrics.jsonl``: one line an epoch, names as a contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bitfold.polytopes import LAYER_MEASURE
from bitfold.runtime.atomic_files import AppendOnlyFile
from bitfold.training.store.metrics import METRIC_NAMES, Metrics, finite


class MetricsLog:
    """Appends lines of metrics; after a continued run's cut, nothing is doubled.

    Source: none, ours.

    Args:
        path: the file; made if missing.
        keep_until: lines of later epochs, and a torn last line, are cut off first.

    Attributes:
        last: the last line; empty if there is none.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, *, keep_until: int) -> None:
        self.last: Metrics = _cut(path, keep_until) if path.exists() else {}
        self._file = AppendOnlyFile(path)

    def append(self, metrics: Metrics) -> None:
        """Write one line to the operating system; a value that is not finite becomes null.

        Raises:
            OSError: the disk is full; the file is as before.
        """
        line = finite(metrics)
        self._file.append((json.dumps(line, allow_nan=False) + "\n").encode())
        self.last = line

    def sync(self) -> None:
        """Wait until every line is on the disk itself."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_metrics(path: Path) -> dict[str, list[float | int | None]]:
    """Read the metrics as columns: name to a value an epoch, None where there is none.

    What is no line of metrics, such as a torn last line left by a kill, is passed over.
    ``numpy.array(column, float)`` makes a column an array, with NaN for None.
    """
    lines = [line for _, line in _lines(path.read_bytes())] if path.exists() else []
    layers = {name for line in lines for name in line if name.startswith(LAYER_MEASURE)}
    names = (*METRIC_NAMES, *sorted(layers, key=lambda name: (len(name), name)))
    return {name: [line.get(name) for line in lines] for name in names}


def _cut(path: Path, keep_until: int) -> Metrics:
    """Shorten the file in place, which needs no room on the disk; return the last line left."""
    data = path.read_bytes()
    end, last = 0, {}
    for line_end, line in _lines(data):
        if line["epoch"] > keep_until:
            break
        end, last = line_end, line
    if end < len(data):
        with path.open("r+b") as file:
            file.truncate(end)
    return last


def _lines(data: bytes) -> Iterator[tuple[int, dict[str, float | int]]]:
    """Yield, for each whole line of metrics, where it ends and what it says."""
    end = 0
    for text in data.splitlines(keepends=True):
        end += len(text)
        try:
            line = json.loads(text) if text.endswith(b"\n") else None
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("epoch"), int):
            yield end, line
