"""Writes the table of the studio's numbers in docs from what the benchmark left in docs/results.

``python -m studies.studio_page`` measures nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.harness.folders import DOCS
from benchmarks.harness.pages import replace_block

_BY_THE_PROCESSOR = (
    "Rows *by the processor* count processor time instead of wall time, which other programs "
    "hardly change."
)


def studio_table(found: Mapping[str, Any]) -> str:
    """Return the numbers with their limits, and the machines of the measurements."""
    parts = {name: part for name, part in found.items() if "rows" in part}
    lines = ["| | measured (quartiles) | wanted |", "| --- | --- | --- |"]
    for part in parts.values():
        lines += [_line(name, row) for name, row in part["rows"].items()]
    machines = [f"{name.capitalize()}: {_machine(part)}." for name, part in parts.items()]
    return "\n".join([*lines, "", " ".join(machines), _BY_THE_PROCESSOR]) + "\n"


def _line(name: str, row: Mapping[str, Any]) -> str:
    spread = row["found"]
    shown = f"{spread['median']:.3g}"
    if spread["num_samples"] > 1:
        shown += f" ({spread['low_quartile']:.3g} to {spread['high_quartile']:.3g})"
    word = "at least" if row["is_least"] else "at most"
    mark = "" if row["verdict"] == "PASS" else ": missed"
    wanted = f"{word} {row['limit']:g}{mark}"
    return f"| {name.replace('*', chr(92) + '*')} | {shown} {row['unit']} | {wanted} |"


def _machine(part: Mapping[str, Any]) -> str:
    environment = part["environment"]
    load = environment["load_average"][1]
    busy = f", shared with other programs: its load was {load:.0f}" if load > 4 else ""
    return (
        f"measured on {environment['date']} with {environment['cpus']} cores of an "
        f"{environment['processor']}{busy}"
    )


def main() -> None:
    """Write the results into the page."""
    found = json.loads((DOCS / "results" / "studio.json").read_text(encoding="utf-8"))
    replace_block(DOCS / "studio.md", "numbers", studio_table(found))


if __name__ == "__main__":
    main()
