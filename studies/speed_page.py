"""Writes the tables of speeds in docs from what the benchmarks left in docs/results.

``python -m studies.speed_page`` measures nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness.folders import DOCS
from benchmarks.harness.pages import replace_block

MEMORY_ROWS = {
    "row_column, auto": "`row_column`, range `auto`",
    "row_column, fixed": "`row_column`, fixed range",
    "row_column, noise": "`row_column`, `auto`, targets `noise`",
    "coordinate, all": "`coordinate`",
    "coordinate, sample": "`coordinate`, `sample`",
    "row_column, decoded state": "`decoded_state()`",
    "row_column, plain": "`row_column` by PyTorch's autograd",
}

Numbers = Mapping[str, Any]


def speed_table(found: Numbers) -> str:
    """Return the comparison with the straightforward program."""
    lines = [
        (
            name.replace("*", r"\*"),
            _milliseconds(row["straightforward_seconds"]["median"]),
            _milliseconds(row["bitfold_seconds"]["median"]),
            _spread(row["times_as_fast"]),
        )
        for name, row in found["rows"].items()
    ]
    return _table(("", "straightforward", "bitfold", "times as fast (quartiles)"), lines)


def floor_table(found: Numbers) -> str:
    """Return a table of the distance of each piece of work from its floor."""
    lines = [
        (
            row["name"].replace("*", r"\*"),
            _milliseconds(row["bitfold_ms"] / 1e3),
            _milliseconds(row["arithmetic_floor_ms"] / 1e3),
            ""
            if row["num_operations"] is None
            else f"{row['num_operations']:,}: {_milliseconds(row['operations_floor_ms'] / 1e3)}",
            f"{row['times_higher_floor']:.1f}",
        )
        for row in found["rows"]
    ]
    head = ("", "takes", "arithmetic floor", "operations of PyTorch", "times the higher of the two")
    return _table(head, lines)


def kernel_table(found: Numbers) -> str:
    """Return the table of the compiled K against weights by bins."""
    lines = [
        (
            shape.replace("*", r"\*"),
            way,
            _milliseconds(times[way]["plain_seconds"]["median"]),
            f"{times[way]['fused_seconds']['median'] * 1e3:.3g} ms",
            _spread(times[way]["ratio"]),
        )
        for shape, times in found["times"].items()
        for way in ("soft", "linear")
    ]
    return _table(("", "targets", "weights by bins", "bitfold", "times as fast (quartiles)"), lines)


def large_table(found: Numbers) -> str:
    """Return the table of K's time and memory for millions of weights."""
    lines = []
    for name, title in MEMORY_ROWS.items():
        for row in found["memory"].get(name, ()):
            numbers = (
                f"{row['weights']:,}",
                f"{row['extra_mb']:,.0f} MB",
                f"{row['seconds']:.2f} s",
            )
            lines.append((title, *numbers))
    return _table(("", "weights", "extra memory, peak", "once, in a process of its own"), lines)


def polytopes_table(found: Numbers) -> str:
    """Return the table of exact partitions against regioncam's."""
    lines = [
        (
            name.replace("*", r"\*"),
            f"{row['polytopes']:,}",
            _milliseconds(row["regioncam_seconds"]["median"]),
            _milliseconds(row["bitfold_seconds"]["median"]),
            _spread(row["times_as_fast"]),
        )
        for name, row in found["speed"].items()
    ]
    return _table(("", "polytopes", "regioncam", "bitfold", "times as fast (quartiles)"), lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _milliseconds(seconds: float) -> str:
    milliseconds = seconds * 1e3
    return f"{milliseconds:,.0f} ms" if milliseconds >= 100 else f"{milliseconds:.3g} ms"


def _spread(ratio: Numbers) -> str:
    low, high = ratio["low_quartile"], ratio["high_quartile"]
    return f"{ratio['median']:.3g} ({low:.3g} to {high:.3g})"


def main() -> int:
    """Write all tables."""
    tables = {
        "speed": speed_table,
        "floor": floor_table,
        "kernel": kernel_table,
        "large": large_table,
    }
    for name, table in tables.items():
        found = json.loads((DOCS / "results" / f"{name}.json").read_text(encoding="utf-8"))
        replace_block(DOCS / "speed.md", name, table(found))
    found = json.loads((DOCS / "results" / "polytopes.json").read_text(encoding="utf-8"))
    replace_block(DOCS / "polytopes.md", "speed", polytopes_table(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
