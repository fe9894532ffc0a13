"""Write the table of encodings on photographs into ``docs/pictures.md``.

``python -m benchmarks.pictures.encodings_page --seconds 40`` reads ``docs/results/encodings.json``:
each method at its best settings, with all seeds that were measured for that many seconds.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from statistics import mean
from typing import Final

from benchmarks.harness.cells import CellTable
from benchmarks.harness.folders import DOCS
from benchmarks.harness.pages import replace_block
from benchmarks.pictures.encodings import METHODS, TABLE
from benchmarks.pictures.samples import PHOTOGRAPHS

PAGE: Final = DOCS / "pictures.md"
PLAIN: Final = "coordinates"
SMOOTH: Final = ("Fourier features", "SIREN")
_CELL = re.compile(r"(.+), (.+), scale (\S+), rate (\S+), seed (\d+), (\S+) s")


@dataclass(frozen=True)
class Result:
    """A method on a photograph.

    Args:
        scale: the best of those that were tried.
        rate: the best of those that were tried.
        found_db: the PSNR of each seed.
    """

    scale: str
    rate: str
    found_db: tuple[float, ...]

    @property
    def mean_db(self) -> float:
        """The mean over seeds."""
        return mean(self.found_db)


def results(table: CellTable, seconds: float) -> dict[tuple[str, str], Result]:
    """Return the trainings of a length, by photograph and method."""
    found: dict[tuple[str, str], Result] = {}
    for name, cell in table:
        parts = _CELL.fullmatch(name)
        assert parts is not None
        picture, method, scale, rate, _, length = parts.groups()
        if float(length) == seconds:
            before = found.get((picture, method), Result(scale, rate, ()))
            found[picture, method] = Result(scale, rate, (*before.found_db, cell["psnr_db"]))
    return found


def markdown(found: dict[tuple[str, str], Result]) -> str:
    """Return a table with a line for each photograph, of the methods that all of them have."""
    pictures = [one for one in PHOTOGRAPHS if (one, PLAIN) in found]
    methods = [one for one in METHODS if all((picture, one) in found for picture in pictures)]
    ours = [one for one in methods if one not in (PLAIN, *SMOOTH)]
    lines = [
        f"| photograph | {' | '.join(methods)} | above coordinates | above the better of both |",
        f"| --- |{' ---: |' * (len(methods) + 2)}",
    ]
    for picture in pictures:
        row = {one: found[picture, one] for one in methods}
        best = max(row[one].mean_db for one in ours)
        smooth = max(row[one].mean_db for one in SMOOTH)
        shown = [" ".join(f"{value:.2f}" for value in row[one].found_db) for one in methods]
        gains = [f"{best - row[PLAIN].mean_db:+.2f}", f"{best - smooth:+.2f}"]
        lines.append(f"| {picture} | {' | '.join([*shown, *gains])} |")
    return "\n".join(lines)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=180.0, help="of the trainings to show")
    given = parser.parse_args()
    replace_block(PAGE, "encodings", markdown(results(CellTable(TABLE), given.seconds)))


if __name__ == "__main__":
    main()
