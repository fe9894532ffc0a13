"""``metrics.jsonl``: one line of metrics per epoch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from bitfold.polytopes import LAYER_MEASURE
from bitfold.runtime.atomic_files import AppendOnlyFile, write_atomically
from bitfold.training.store.metrics import METRIC_NAMES, Metrics, finite


class MetricsLog:
    """Appends lines of metrics, after cutting off lines that a continued run will write again.

    Args:
        path: the file; it is created if it is missing.
        keep_until: last epoch that stays; later lines and a torn last line are cut off.

    Attributes:
        last: the last line; empty in an empty file.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, *, keep_until: int) -> None:
        self.last: Metrics = _cut(path, keep_until) if path.exists() else {}
        self._path, self._file = path, AppendOnlyFile(path)

    def append(self, metrics: Metrics) -> None:
        """Hand one line to the operating system; a value that is not finite becomes null.

        Raises:
            OSError: the disk is full; the file is as before.
        """
        line = finite(metrics)
        self._file.append((json.dumps(line, allow_nan=False) + "\n").encode())
        self.last = line

    def complete(self, late: Mapping[int, Metrics]) -> None:
        """Add numbers to lines that are already written.

        Args:
            late: numbers by epoch; epochs without a line are ignored.

        Raises:
            OSError: the disk is full; the file is as before.
        """
        written: list[Metrics] = [line for _, line in _lines(self._path.read_bytes())]
        lines = [{**line, **finite(late.get(int(line["epoch"] or 0), {}))} for line in written]
        content = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
        self._file.close()
        try:
            write_atomically(self._path, content.encode())
        finally:
            self._file = AppendOnlyFile(self._path)
        self.last = lines[-1] if lines else {}

    def sync(self) -> None:
        """Wait until every line is on disk."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_metrics(path: Path) -> dict[str, list[float | int | None]]:
    """Read the metrics as columns: name to one value per epoch, None where a line has none.

    Text that is not a line of metrics, such as a torn last line after a kill, is skipped.
    ``numpy.array(column, float)`` turns a column into an array, with NaN for None.
    """
    lines = [line for _, line in _lines(path.read_bytes())] if path.exists() else []
    layers = {name for line in lines for name in line if name.startswith(LAYER_MEASURE)}
    names = (*METRIC_NAMES, *sorted(layers, key=lambda name: (len(name), name)))
    return {name: [line.get(name) for line in lines] for name in names}


def _cut(path: Path, keep_until: int) -> Metrics:
    """Truncate the file in place, which needs no free disk space; return the last line kept."""
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
    """Yield (end, numbers) for each whole line of metrics; ``end`` is a byte offset."""
    end = 0
    for text in data.splitlines(keepends=True):
        end += len(text)
        try:
            line = json.loads(text) if text.endswith(b"\n") else None
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("epoch"), int):
            yield end, line
