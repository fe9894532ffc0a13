"""``metrics.jsonl``: one line of metrics per epoch."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from bitfold.errors import RunError
from bitfold.polytopes import LAYER_MEASURE
from bitfold.runtime.atomic_files import AppendOnlyFile, replacing
from bitfold.runtime.strangers.bounded_json import parse_json
from bitfold.runtime.strangers.plain_files import check_size, open_plain
from bitfold.training.store.metrics import (
    METRIC_NAMES,
    Metrics,
    checked_epoch,
    checked_metrics,
    finite,
)

# A line of 256 layers has a quarter of it.
_MAX_LINE_BYTES, _MAX_FILE_BYTES = 2**16, 2**30
# Columns are lists of Python's numbers, of some 32 bytes each.
_MAX_VALUES = 2**26


class MetricsLog:
    """Appends lines of metrics, after cutting off lines that a continued run will write again.

    Args:
        path: the file; it is created if it is missing.
        keep_until: last epoch that stays; later lines and a torn last line are cut off.

    Attributes:
        last: the last line; empty in an empty file.

    Raises:
        OSError: it cannot be written.
        RunError: a line has a value that is no measurement.
    """

    def __init__(self, path: Path, *, keep_until: int) -> None:
        self.last: Metrics = _cut(path, keep_until)
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
        last: Metrics = {}
        self._file.close()
        try:
            with replacing(self._path) as new:
                for line in _read_lines(self._path):
                    last = {**line, **finite(late.get(int(line["epoch"] or 0), {}))}
                    new.write((json.dumps(last, allow_nan=False) + "\n").encode())
        finally:
            self._file = AppendOnlyFile(self._path)
        self.last = last

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

    Raises:
        RunError: the file cannot be read, is too large, or a line has a value that is no
            measurement; the message has the number of the line.
    """
    columns: dict[str, list[float | int | None]] = {"epoch": []}
    num_lines = 0
    for line in _read_lines(path):
        for name in line:
            if name not in columns and (name in METRIC_NAMES or _is_of_layer(name)):
                columns[name] = [None] * num_lines
        num_lines += 1
        for name, column in columns.items():
            column.append(line.get(name))
        if num_lines * len(columns) > _MAX_VALUES:
            raise RunError(
                f"Cannot read {path}: expected at most {_MAX_VALUES:,} values, got "
                f"{num_lines * len(columns):,} up to line {num_lines:,}. "
                "Restore it from a copy of the run."
            )
    layers = sorted(filter(_is_of_layer, columns), key=lambda name: (len(name), name))
    absent: list[float | int | None] = [None] * num_lines
    return {name: columns.get(name, absent) for name in (*METRIC_NAMES, *layers)}


def _is_of_layer(name: str) -> bool:
    number = name.removeprefix(LAYER_MEASURE)
    return number != name and number.isascii() and number.isdecimal()


def _read_lines(path: Path) -> Iterator[Metrics]:
    try:
        with open_plain(path, "rb") as file:
            check_size(file, _MAX_FILE_BYTES)
            yield from (line for _, line in _lines(file, path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"Cannot read {path}: {error.strerror}.") from None


def _cut(path: Path, keep_until: int) -> Metrics:
    """Truncate the file in place, which needs no free disk space; return the last line kept."""
    end, last = 0, {}
    with contextlib.suppress(FileNotFoundError), open_plain(path, "r+b") as file:
        for line_end, line in _lines(file, path):
            if (line["epoch"] or 0) > keep_until:
                break
            end, last = line_end, line
        file.truncate(end)
    return last


def _lines(file: IO[bytes], path: Path) -> Iterator[tuple[int, dict[str, float | int | None]]]:
    """Yield (end, numbers) for each whole line of metrics; ``end`` is a byte offset.

    Raises:
        RunError: a line is too long, or has a value that is no measurement.
    """
    end = number = 0
    while text := file.readline(_MAX_LINE_BYTES):
        end, number = end + len(text), number + 1
        try:
            if len(text) == _MAX_LINE_BYTES:
                raise ValueError(f"expected at most {_MAX_LINE_BYTES:,} bytes, got more")
            line = _parsed(text)
        except ValueError as error:
            raise RunError(
                f"Cannot read {path}: line {number:,} is no line of metrics ({error}). Restore it "
                "from a copy of the run, or delete the line."
            ) from None
        if line is not None:
            yield end, line


def _parsed(text: bytes) -> dict[str, float | int | None] | None:
    """Return the numbers of a line; None for a torn line, and for what is no metrics at all.

    Raises:
        ValueError: it has an epoch, and a value that is no measurement.
    """
    try:
        line = parse_json(text) if text.endswith(b"\n") else None
    except ValueError:
        return None
    if not (isinstance(line, dict) and isinstance(line.get("epoch"), int)):
        return None
    checked_epoch(line["epoch"])
    return checked_metrics(line)
