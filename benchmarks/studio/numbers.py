"""How soon and how often does a page of the studio see new polytopes, and at which cost?

``python -m benchmarks.studio.numbers [--quick] [--output docs/results/studio.json]``; exit code 1
if a limit is missed, by the processor's time where that is counted, else by wall time. It needs the
extra ``page``, an installed Chromium, the built page, and Linux. Memory takes most of the time, and
another program on the machine does not change it: ``--parts speed`` and ``--parts memory`` measure
one of both and keep the other's rows of the output.
``python -m studies.studio_page`` quotes the results in ``docs/studio.md``.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.timing import Spread, argument_parser, environment, write_results
from benchmarks.studio.browser import (
    NARROW,
    WIDE,
    chromium,
    first_picture_seconds,
    memory_growth,
    update_ms,
)
from benchmarks.studio.rates import LARGE, SMALL, partitions_a_second, share_of_epochs
from benchmarks.studio.steps import longest_step_ms
from bitfold.studio.built_page import PAGE

# The files that the live page loads; only saved pages have `replay.js`.
_ASSETS = ("index.html", "studio.css", "studio.js")
#: The suffix of rows by processor time, on which other programs have little effect.
PROCESSOR = ", by the processor"
# The server keeps a row of metrics, and the page's growing table reserves twice its size.
EPOCH_BYTES = 1000
# Seconds after which the page is named even if it cannot show anything yet.
_LONGEST_START = 10.0
PARTS = ("speed", "memory")
# Shapes, the epochs from which on they are cut, and the partitions a second that are wanted.
_CUT = ((SMALL, 300, 20, 60), (LARGE, 10, 3, 8), (LARGE, 300, 3, 8))
#: The most memory that the allocators of Python and of the browser keep back.
SLACK_MIB = 3.0


@dataclass(frozen=True)
class Row:
    """A number with its limit.

    Args:
        what: the measured quantity.
        unit: of the number.
        limit: that must hold.
        aim: a better value.
        found: the measurement.
        is_least: whether the limit is the least number, not the most.
    """

    what: str
    unit: str
    limit: float
    aim: float | None
    found: Spread
    is_least: bool = False

    @property
    def holds(self) -> bool:
        """Return whether the limit holds."""
        value = self.found.median
        return value >= self.limit if self.is_least else value <= self.limit

    def record(self) -> dict[str, Any]:
        """Return the row as the results hold it."""
        return {
            "unit": self.unit,
            "limit": self.limit,
            "aim": self.aim,
            "is_least": self.is_least,
            "found": self.found.record(),
            "verdict": "PASS" if self.holds else "SHORT",
        }

    def line(self) -> str:
        """Return the row as text."""
        word = "at least" if self.is_least else "at most"
        wanted = f"{word} {self.limit:g}" + ("" if self.aim is None else f", aim {self.aim:g}")
        verdict = "PASS" if self.holds else "SHORT"
        return f"{self.what:66} {self.found.text(1, ' ' + self.unit):>34}  {wanted:24} {verdict}"


def compressed_kilobytes() -> Spread:
    """Return the gzip size of all files that the live page loads."""
    sizes = [len(gzip.compress((PAGE / name).read_bytes(), 9)) for name in _ASSETS]
    return Spread.of([sum(sizes) / 1e3])


def rows_of_speed(seconds: float, rounds: int) -> Iterator[Row]:
    """Measure all rows but memory in turn.

    Args:
        seconds: of each measurement of a rate.
        rounds: of each measurement.
    """
    yield Row("page, all assets, compressed", "KB", 150, 100, compressed_kilobytes())
    wall, processor = share_of_epochs(seconds, rounds)
    what = "epochs a second, one client over none"
    yield Row(what, "x", 0.9, 0.95, wall, True)
    yield Row(f"{what}{PROCESSOR}", "x", 0.9, 0.95, processor, True)
    for shape, epoch, limit, aim in _CUT:
        found = partitions_a_second(shape, epoch, seconds, rounds)
        what = f"new partitions of {found.num_polytopes:,} at a client while {shape} trains"
        yield Row(what, "a second", limit, aim, found.by_wall, True)
        yield Row(f"{what}{PROCESSOR}", "a second", limit, aim, found.by_processor, True)
    what = f"longest step of the server{PROCESSOR}"
    yield Row(what, "ms", 5, None, longest_step_ms(rounds))
    with chromium() as browser:
        wall, processor, start = first_picture_seconds(browser, rounds)
        yield Row("the studio's start until it names its page", "s", _LONGEST_START, None, start)
        what = "first picture after the page was asked for"
        yield Row(what, "s", 2, 1, wall)
        yield Row(f"{what}{PROCESSOR}", "s", 2, 1, processor)
        for shape, limit, aim in ((NARROW, 10, 4), (WIDE, 80, 30)):
            took, number = update_ms(browser, shape, 3 * rounds)
            yield Row(f"update in the page, {number:,} polytopes", "ms", limit, aim, took)


def rows_of_memory(num_updates: int) -> Iterator[Row]:
    """Measure a row for each process, whose memory grows only by an epoch's metrics."""
    with chromium() as browser:
        growth = memory_growth(browser, num_updates)
    allowed = SLACK_MIB + growth.num_epochs * EPOCH_BYTES / 2**20
    for name, mib in growth.mib.items():
        what = f"growth of the {name} over {growth.num_updates:,} updates"
        yield Row(what, "MiB", round(allowed, 1), None, Spread.of([mib]))


def kept_parts(output: Path | None) -> dict[str, Any]:
    """Return the parts that an earlier call measured, each with its rows and machine."""
    if output is None or not output.exists():
        return {}
    found = json.loads(output.read_text(encoding="utf-8"))
    return {part: found[part] for part in PARTS if part in found}


def main() -> int:
    """Measure everything, print a table, and name missed limits."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    is_missed, results = False, kept_parts(arguments.output)
    for part in arguments.parts:
        found = []
        for row in _measured_rows(part, arguments.quick):
            print(row.line(), flush=True)
            found.append(row)
        # Of a row by wall time and by the processor, the latter holds.
        counted = {row.what.removesuffix(PROCESSOR): row.holds for row in found}
        is_missed |= not all(counted.values())
        table = {row.what: row.record() for row in found}
        results[part] = {"quick": arguments.quick, "rows": table, "environment": environment()}
    write_results(arguments.output, results)
    return int(is_missed)


def _measured_rows(part: str, quick: bool) -> Iterator[Row]:
    if part == "speed":
        return rows_of_speed(*((2.0, 2) if quick else (5.0, 5)))
    return rows_of_memory(600 if quick else 10_000)


if __name__ == "__main__":
    sys.exit(main())
