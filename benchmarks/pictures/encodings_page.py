"""Write the table of encodings on photographs into ``docs/pictures.md``.

``python -m benchmarks.pictures.encodings_page --seconds 40`` reads ``docs/results/encodings.json``:
each method at its best settings, with all seeds that were measured for that many seconds.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import mean
from typing import Final, NamedTuple

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
    """A method on a photograph, at its best scale and rate.

    Args:
        found_db: the PSNR of each seed.
    """

    found_db: tuple[float, ...]

    @property
    def mean_db(self) -> float:
        """The mean over seeds."""
        return mean(self.found_db)


class Trained(NamedTuple):
    """A training of a method on a photograph."""

    settings: tuple[str, str]
    seed: int
    seconds: float
    psnr_db: float


def results(table: CellTable, seconds: float) -> dict[tuple[str, str], Result]:
    """Return the trainings of a length at the best settings, by photograph and method."""
    trainings: defaultdict[tuple[str, str], list[Trained]] = defaultdict(list)
    for name, cell in table:
        parts = _CELL.fullmatch(name)
        assert parts is not None
        picture, method, scale, rate, seed, length = parts.groups()
        one = Trained((scale, rate), int(seed), float(length), cell["psnr_db"])
        trainings[picture, method].append(one)
    found: dict[tuple[str, str], Result] = {}
    for key, tried in trainings.items():
        best = best_settings(tried)
        shown = sorted(one for one in tried if (one.settings, one.seconds) == (best, seconds))
        if shown:
            found[key] = Result(tuple(one.psnr_db for one in shown))
    return found


def best_settings(tried: list[Trained]) -> tuple[str, str]:
    """Return the scale and the rate of the first seed's highest PSNR, where they were chosen.

    They were chosen in trainings of the length at which most of them were tried.
    """
    first = min(one.seed for one in tried)
    lengths = Counter(one.seconds for one in tried if one.seed == first)
    choice = max(lengths, key=lambda length: (lengths[length], length))
    compared = [one for one in tried if (one.seed, one.seconds) == (first, choice)]
    return max(compared, key=lambda one: one.psnr_db).settings


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
