"""``frontier.json``: which networks of a curve are trained, how large and how good each is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bitfold.errors import ConfigError, RunError
from bitfold.runtime.atomic_files import write_atomically
from bitfold.training import flag

NAME = "frontier.json"
FORMAT, VERSION = "bitfold frontier", 1

#: Lambda as ``--kolmogorov-weight`` takes it: a number, ``mdl`` or ``bits:N``.
Weight = float | str


@dataclass(frozen=True)
class FrontierPoint:
    """One network of a curve.

    Args:
        kolmogorov_weight: lambda.
        seed: of its training.
        run: its run's folder, within the frontier's.
        status: how its run ended; only of a completed one there is a file.
        file: of the model, within the frontier's folder; None without one.
        num_bytes: its size.
        error: of the decoded model over the picture's pixels: mean squared, or share of wrong ones.
        psnr_db: of regression; None also where there is no error.
        description_bits: by K at the end; None without K.
    """

    kolmogorov_weight: Weight
    seed: int
    run: str
    status: str
    file: str | None = None
    num_bytes: int | None = None
    error: float | None = None
    psnr_db: float | None = None
    description_bits: float | None = None

    @property
    def measure(self) -> tuple[int, float] | None:
        """Size and error; None if there is no file."""
        if self.num_bytes is None or self.error is None:
            return None
        return self.num_bytes, self.error


@dataclass(frozen=True)
class Wanted:
    """What makes one network of a curve the best; at most one field.

    Args:
        num_bytes: least error within so many bytes.
        error: fewest bytes within this error.
    """

    num_bytes: int | None = None
    error: float | None = None

    def best(self, points: Iterable[FrontierPoint]) -> FrontierPoint | None:
        """Return the best of those that have a file; None if none is good enough.

        Without a wish it has the least product of bytes and error: to be better, a network of
        twice the size must have less than half the error.

        Source: none, ours.
        """
        measured = [(point, point.measure) for point in points]
        known = [(point, found) for point, found in measured if found is not None]
        if self.num_bytes is not None:
            fits = [(e, float(n), p) for p, (n, e) in known if n <= self.num_bytes]
        elif self.error is not None:
            fits = [(float(n), e, p) for p, (n, e) in known if e <= self.error]
        else:
            fits = [(n * e, float(n), p) for p, (n, e) in known]
        return min(fits, key=lambda item: item[:2])[2] if fits else None


@dataclass(frozen=True)
class FrontierRecord:
    """All of ``frontier.json``.

    Args:
        settings: of every training, but lambda, seed and folder.
        kolmogorov_weights: lambdas asked for.
        seeds: asked for.
        points: what is there, in the order in which it was trained.
        wanted: what the best is chosen by.
    """

    settings: Mapping[str, Any]
    kolmogorov_weights: tuple[Weight, ...]
    seeds: tuple[int, ...]
    points: tuple[FrontierPoint, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)

    def find(self, weight: Weight, seed: int) -> FrontierPoint | None:
        """Return the network of a lambda and seed, if it is there."""
        return next(
            (p for p in self.points if (p.kolmogorov_weight, p.seed) == (weight, seed)), None
        )

    def missing(self) -> list[tuple[Weight, int]]:
        """Return what is still to be trained: a whole curve, then that of the next seed."""
        asked = [(weight, seed) for seed in self.seeds for weight in self.kolmogorov_weights]
        return [(weight, seed) for weight, seed in asked if self.find(weight, seed) is None]

    def with_point(self, point: FrontierPoint) -> FrontierRecord:
        """Return it with one more network."""
        return replace(self, points=(*self.points, point))

    def front(self) -> list[FrontierPoint]:
        """Return the networks that no other one beats in size without losing in error."""
        return pareto_front(self.points)

    def best(self) -> FrontierPoint | None:
        """Return the best network."""
        return self.wanted.best(self.points)

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            RunError: the folder cannot be written.
        """
        front, best = self.front(), self.best()
        points = [
            {**asdict(point), "is_on_front": point in front, "is_best": point == best}
            for point in self.points
        ]
        content = {"format": FORMAT, "version": VERSION, **asdict(self), "points": points}
        try:
            write_atomically(folder / NAME, (json.dumps(content, indent=1) + "\n").encode())
        except OSError as error:
            raise RunError(
                f"Cannot write {folder / NAME}: {error.strerror}. Make room, then give the same "
                "command again."
            ) from None


def pareto_front(points: Sequence[FrontierPoint]) -> list[FrontierPoint]:
    """Return the points with a file that no other one beats, by rising size.

    >>> sizes = {0.1: 9, 0.2: 5, 0.3: 8}
    >>> points = [FrontierPoint(1.0, 0, "", "completed", "", n, e) for e, n in sizes.items()]
    >>> [point.num_bytes for point in pareto_front(points)]
    [5, 9]
    """
    known = [(found, point) for point in points if (found := point.measure) is not None]
    front: list[FrontierPoint] = []
    least = math.inf
    for (_, error), point in sorted(known, key=lambda item: item[0]):
        if error < least:
            front.append(point)
            least = error
    return front


def read_record(folder: Path) -> FrontierRecord | None:
    """Read a folder's record; None if there is none.

    Raises:
        RunError: it is damaged, or another version's.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_bytes())
        if (content.pop("format"), content.pop("version")) != (FORMAT, VERSION):
            raise ValueError("another format or version")
        points = content.pop("points")
        for item in points:
            item.pop("is_on_front"), item.pop("is_best")
        wanted = Wanted(**content.pop("wanted"))
        read = tuple(_checked(FrontierPoint(**item)) for item in points)
        weights = tuple(content.pop("kolmogorov_weights"))
        seeds = tuple(content.pop("seeds"))
        return FrontierRecord(dict(content.pop("settings")), weights, seeds, read, wanted)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(
            f"Cannot read {path}: expected the record of a frontier, version {VERSION}, got "
            f"another file ({str(error)[:100]}). Move it away: runs that are done stay as they are."
        ) from None


def _checked(point: FrontierPoint) -> FrontierPoint:
    has_file = point.status == "completed"
    numbers = (point.num_bytes, point.error)
    if has_file != all(isinstance(number, int | float) for number in numbers):
        raise ValueError(f"no size and error of {point.run}")
    if Path(point.run).name != point.run or not isinstance(point.seed, int):
        raise ValueError(f"{point.run!r} is no name of a run")
    return point


def check_same(record: FrontierRecord, settings: Mapping[str, Any], folder: Path) -> None:
    """Refuse to continue a curve with other settings.

    Raises:
        ConfigError: a setting differs; the first one is named.
    """
    before = record.settings
    for name in sorted({*before, *settings}):
        if before.get(name) != settings.get(name):
            raise ConfigError(
                f"Cannot continue the frontier in {folder}: expected {flag(name)} "
                f"{before.get(name)} as it was begun with, got {settings.get(name)}. Leave it out, "
                "or choose another --output-dir."
            )
