"""Writes the table of the studio's numbers in docs from what the benchmark left in docs/results.

``python -m studies.studio_page`` measures nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.harness.folders import DOCS
from benchmarks.harness.pages import replace_block


def studio_table(found: Mapping[str, Any]) -> str:
    """Return the numbers with their limits, and the machine of the measurement."""
    lines = ["| | measured (quartiles) | wanted |", "| --- | --- | --- |"]
    for name, row in found["rows"].items():
        spread = row["found"]
        shown = f"{spread['median']:.3g}"
        if spread["num_samples"] > 1:
            shown += f" ({spread['low_quartile']:.3g} to {spread['high_quartile']:.3g})"
        word = "at least" if row["is_least"] else "at most"
        mark = "" if row["verdict"] == "PASS" else ": missed"
        wanted = f"{word} {row['limit']:g}{mark}"
        lines.append(f"| {name.replace('*', chr(92) + '*')} | {shown} {row['unit']} | {wanted} |")
    return "\n".join([*lines, "", _machine(found["environment"])]) + "\n"


def _machine(environment: Mapping[str, Any]) -> str:
    load = environment["load_average"][1]
    busy = f", shared with other programs: its load was {load:.0f}" if load > 4 else ""
    return (
        f"Measured on {environment['date']} with {environment['cpus']} cores of an "
        f"{environment['processor']}{busy}. Rows *by the processor* count processor time instead "
        "of wall time, which other programs hardly change."
    )


def main() -> None:
    """Write the results into the page."""
    found = json.loads((DOCS / "results" / "studio.json").read_text(encoding="utf-8"))
    replace_block(DOCS / "studio.md", "numbers", studio_table(found))


if __name__ == "__main__":
    main()
