"""Write the tables of encodings on photographs into ``docs/pictures.md``.

``python -m benchmarks.pictures.encodings_page`` reads ``docs/results/encodings.json``: each method
at its best settings, with all seeds that were measured for as many seconds.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from dataclasses import dataclass
from statistics import mean
from typing import Final, NamedTuple

from benchmarks.harness.cells import CellTable
from benchmarks.harness.folders import DOCS
from benchmarks.harness.pages import replace_block
from benchmarks.pictures.encodings import TABLE
from benchmarks.pictures.networks import SIZES
from benchmarks.pictures.samples import PHOTOGRAPHS

PAGE: Final = DOCS / "pictures.md"
PLAIN: Final = "coordinates"
SMOOTH: Final = ("Fourier features", "SIREN")
SAID: Final = {
    "48k": "About 48,000 weights each, as many as `bitfold train` chooses for such a photograph:",
    "13k": "About 12,700 weights each, as `[64]*4` has:",
}
_CELL = re.compile(r"(.+), (\w+), (.+), scale (\S+), rate (\S+), seed (\d+), (\S+) s")


class Key(NamedTuple):
    """A method of a size on a photograph."""

    picture: str
    size: str
    method: str


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

    seed: int
    settings: tuple[str, str]
    psnr_db: float


def results(table: CellTable, seconds: float) -> dict[Key, Result]:
    """Return the trainings of a length at the settings that are best for the first seed.

    Of each method few settings are trained so long: those that diverged, and the one that counts.
    """
    trainings: defaultdict[Key, list[Trained]] = defaultdict(list)
    for name, cell in table:
        parts = _CELL.fullmatch(name)
        assert parts is not None, name
        *key, scale, rate, seed, length = parts.groups()
        if float(length) == seconds:
            trainings[Key(*key)].append(Trained(int(seed), (scale, rate), cell["psnr_db"]))
    return {key: _shown(sorted(tried)) for key, tried in trainings.items()}


def _shown(tried: list[Trained]) -> Result:
    first = [one for one in tried if one.seed == tried[0].seed]
    best = max(first, key=lambda one: one.psnr_db).settings
    return Result(tuple(one.psnr_db for one in tried if one.settings == best))


def markdown(found: dict[Key, Result]) -> str:
    """Return a table for each size of which there are results."""
    sizes = [size for size in SIZES if any(key.size == size for key in found)]
    return "\n\n".join(f"{SAID[size]}\n\n{_table(found, size)}" for size in reversed(sizes))


def _table(found: dict[Key, Result], size: str) -> str:
    """Return a line for each photograph, of the methods that all of them have."""
    pictures = [one for one in PHOTOGRAPHS if Key(one, size, PLAIN) in found]
    methods = [
        one for one in SIZES[size] if all(Key(picture, size, one) in found for picture in pictures)
    ]
    ours = [one for one in methods if one not in (PLAIN, *SMOOTH)]
    smooth = [one for one in methods if one in SMOOTH]
    lines = [
        f"| photograph | {' | '.join(methods)} | above coordinates | above the better of both |",
        f"| --- |{' ---: |' * (len(methods) + 2)}",
    ]
    for picture in pictures:
        row = {one: found[Key(picture, size, one)] for one in methods}
        best = max(row[one].mean_db for one in ours)
        rival = max(row[one].mean_db for one in smooth)
        shown = [" ".join(f"{value:.2f}" for value in row[one].found_db) for one in methods]
        gains = [f"{best - row[PLAIN].mean_db:+.2f}", f"{best - rival:+.2f}"]
        lines.append(f"| {picture} | {' | '.join([*shown, *gains])} |")
    return "\n".join(lines)


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=180.0, help="of the trainings to show")
    given = parser.parse_args()
    replace_block(PAGE, "encodings", markdown(results(CellTable(TABLE), given.seconds)))


if __name__ == "__main__":
    main()
