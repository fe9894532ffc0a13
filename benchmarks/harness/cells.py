"""A table of results that is written after each cell, so that a benchmark can be stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.harness.timing import environment
from bitfold.runtime.atomic_files import write_atomically

Cell = dict[str, Any]


class CellTable:
    """Results by the name of their cell, in one file that is valid after each write.

    Each cell also has the day of its measurement. The environment is that of the last cell.

    Args:
        path: of the JSON file; its existing cells are kept.

    Raises:
        ValueError: the file is no table.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"cells": {}}
        self._cells: dict[str, Cell] = dict(content["cells"])

    def __iter__(self) -> Iterator[tuple[str, Cell]]:
        return iter(sorted(self._cells.items()))

    def get(self, name: str) -> Cell | None:
        """Return a cell's result; None if it was not measured."""
        return self._cells.get(name)

    def measured(self, name: str, measure: Callable[[], Cell]) -> Cell:
        """Return a cell's result; measure and write it first if it is missing."""
        found = self._cells.get(name)
        if found is None:
            now = environment()
            found = self._cells[name] = {**measure(), "date": now["date"]}
            self._write(now)
            shown = {key: value for key, value in found.items() if key != "file"}
            print(name, *(f"{key} {value}" for key, value in shown.items()), flush=True)
        return found

    def _write(self, now: dict[str, Any]) -> None:
        rows = [f"  {json.dumps(name)}: {json.dumps(cell)}" for name, cell in self]
        cells = ",\n".join(rows)
        text = f'{{\n"environment": {json.dumps(now)},\n"cells": {{\n{cells}\n}}\n}}\n'
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, text.encode())
