"""``frontier.json``: the networks of a frontier, with size and error of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bitfold.experiments.goal import Goal, stored_goal
from bitfold.experiments.stored_record import StoredRecord
from bitfold.runtime.strangers.bounded_json import is_number, shortened
from bitfold.training import Config, settings_of

NAME = "frontier.json"
#: The figures in the same folder.
FIGURES = ("frontier.png", "frontier.svg")
FORMAT, VERSION = "bitfold frontier", 1
_MAX_BYTES = 2**24  # of some 10,000 networks

#: Lambda, as ``Config.kolmogorov_weight`` takes it: a number, ``mdl`` or ``bits:N``.
Weight = float | str


@dataclass(frozen=True)
class FrontierPoint:
    """One network of a frontier.

    Args:
        kolmogorov_weight: lambda.
        seed: the seed of its training.
        run: the name of its run's folder, which lies in the frontier's folder.
        status: how its training ended; only a ``completed`` run has a file.
        file: the name of its model file in the frontier's folder; None without a file.
        num_bytes: the size of that file.
        error: of the decoded network over the picture: mean squared error, or share of wrong
            pixels.
        psnr_db: of the decoded network, for regression; None also where the error is 0.
        description_bits: the description length that K reported last; None without K.
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


# Without a goal, the best network has at most this many times the least error: 3 dB.
_MOST_ERRORS = 2.0


def best_point(points: Iterable[FrontierPoint], goal: Goal) -> FrontierPoint | None:
    """Return the best of the points that have a file; None if none reaches the goal.

    With a limit on the size, the best point has the least error within it; with a limit on the
    error, the fewest bytes. Without a goal, networks with more than twice the least error are left
    out: a blank picture takes few bytes. Of the others the best has the least product of bytes and
    error: a network of twice the size must have less than half the error to be better.

    Args:
        points: networks of one frontier.
        goal: without a PSNR; `Goal.max_error` translates it.
    """
    measured = [(point, point.measure) for point in points]
    known = [(point, found) for point, found in measured if found is not None]
    if goal.num_bytes is not None:
        fits = [(e, float(n), p) for p, (n, e) in known if n <= goal.num_bytes]
    elif goal.error is not None:
        fits = [(float(n), e, p) for p, (n, e) in known if e <= goal.error]
    else:
        worst = _MOST_ERRORS * min((e for _, (_, e) in known), default=0.0)
        fits = [(n * e, float(n), p) for p, (n, e) in known if e <= worst]
    return min(fits, key=lambda item: item[:2])[2] if fits else None


def pareto_front(points: Sequence[FrontierPoint]) -> list[FrontierPoint]:
    """Return the points that no other point beats in size and error, by rising size.

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


@dataclass(frozen=True)
class FrontierRecord:
    """The content of ``frontier.json``.

    Args:
        settings: shared by all trainings; without lambda, seed and folder.
        kolmogorov_weights: the lambdas that were asked for.
        seeds: the seeds that were asked for.
        points: the networks that are done, in the order in which they were trained.
        goal: what the best network is chosen by.
    """

    settings: Mapping[str, Any]
    kolmogorov_weights: tuple[Weight, ...] = ()
    seeds: tuple[int, ...] = ()
    points: tuple[FrontierPoint, ...] = ()
    goal: Goal = field(default_factory=Goal)

    @property
    def is_regression(self) -> bool:
        """Whether quality is a PSNR, and not a share of wrong pixels."""
        return any(point.psnr_db is not None for point in self.points)

    def find(self, weight: Weight, seed: int) -> FrontierPoint | None:
        """Return the network of a lambda and a seed, if it is done."""
        return next(
            (p for p in self.points if (p.kolmogorov_weight, p.seed) == (weight, seed)), None
        )

    def missing(self) -> list[tuple[Weight, int]]:
        """Return lambda and seed of each network that is not done: one seed after the other."""
        asked = [(weight, seed) for seed in self.seeds for weight in self.kolmogorov_weights]
        return [(weight, seed) for weight, seed in asked if self.find(weight, seed) is None]

    def with_point(self, point: FrontierPoint) -> FrontierRecord:
        """Return a copy with one more network."""
        return replace(self, points=(*self.points, point))

    def front(self) -> list[FrontierPoint]:
        """Return the networks that no other network beats in size and error."""
        return pareto_front(self.points)

    def best(self) -> FrontierPoint | None:
        """Return the network that reaches the goal best; None if none reaches it."""
        return best_point(self.points, self.goal)

    def write(self, folder: Path) -> None:
        """Write the record, whole or not at all.

        Raises:
            RunError: the folder cannot be written.
        """
        front, best = self.front(), self.best()
        points = [
            {**asdict(point), "is_on_front": point in front, "is_best": point == best}
            for point in self.points
        ]
        content = {
            "settings": dict(self.settings),
            "kolmogorov_weights": self.kolmogorov_weights,
            "seeds": self.seeds,
            "points": points,
            "wanted": {"num_bytes": self.goal.num_bytes, "error": self.goal.error},
        }
        _STORED.write(folder, content)


def read_record(folder: Path) -> FrontierRecord | None:
    """Read the record in a folder; None if there is none.

    Raises:
        RunError: the record is damaged, or has another version.
    """
    return _STORED.read(folder)


def _parse(content: dict[str, Any]) -> FrontierRecord:
    points = content.pop("points")
    for item in points:
        item.pop("is_on_front"), item.pop("is_best")
    weights, seeds = content.pop("kolmogorov_weights"), content.pop("seeds")
    if not (weights and seeds):
        raise ValueError("no lambda, or no seed")
    checked = tuple(_checked(FrontierPoint(**item)) for item in points)
    if len({point.run for point in checked}) < len(checked):
        raise ValueError("two networks of one run")
    return FrontierRecord(
        dict(content.pop("settings")),
        tuple(_setting("kolmogorov_weight", one) for one in weights),
        tuple(_setting("seed", one) for one in seeds),
        checked,
        stored_goal(content.pop("wanted")),
    )


def _checked(point: FrontierPoint) -> FrontierPoint:
    numbers = (point.num_bytes, point.error, point.psnr_db, point.description_bits)
    if not all(number is None or is_number(number) for number in numbers):
        raise ValueError(f"{shortened(point.run)} has numbers that are none")
    if min(point.num_bytes or 0, point.error or 0, point.description_bits or 0) < 0:
        raise ValueError(f"{shortened(point.run)} has a size or an error below 0")
    if not (isinstance(point.run, str) and isinstance(point.status, str)):
        raise ValueError(f"{shortened(point.run)} is no name of a run")
    if not (point.file is None or (isinstance(point.file, str) and _is_name(point.file))):
        raise ValueError(f"{shortened(point.file)} is no name of a file")
    _setting("kolmogorov_weight", point.kolmogorov_weight)
    _setting("seed", point.seed)
    has_file = point.status == "completed"
    if has_file != (point.measure is not None):
        raise ValueError(f"no size and error of {point.run}")
    if not _is_name(point.run):
        raise ValueError(f"{point.run!r} is no name of a run")
    return point


def _setting(name: str, value: object) -> Any:
    """Return a value that a configuration takes for a setting.

    Raises:
        ConfigError: it takes none such.
    """
    return next(one for known, _, one in settings_of(Config) if known == name).check(name, value)


def _is_name(text: str) -> bool:
    """Whether a text names something within a folder."""
    return Path(text).name == text and text not in ("", "..")


_STORED = StoredRecord(
    NAME, "a frontier", FORMAT, VERSION, _parse, _MAX_BYTES,
    "Move it away: runs that are done stay as they are.",
)  # fmt: skip
