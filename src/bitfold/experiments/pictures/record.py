"""``picture.json``: what a search for a small file has tried so far."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from bitfold.experiments.goal import Goal, stored_goal
from bitfold.experiments.stored_record import StoredRecord
from bitfold.runtime.display.decibels import psnr_text
from bitfold.runtime.strangers.bounded_json import is_number

NAME = "picture.json"
FORMAT, VERSION = "bitfold picture", 1
_MAX_BYTES = 2**20
TASKS = ("regression", "classification")
#: What records hold as the PSNR of equal pictures: JSON has no infinity.
EXACT_DB: Final = 100.0
# And at most this of pictures that differ: one pixel of many can be off by a little.
_MOST_DB: Final = 99.99


def recorded_db(psnr_db: float) -> float:
    """Return a PSNR as records hold it.

    >>> recorded_db(31.4), recorded_db(math.inf), recorded_db(102.0)
    (31.4, 100.0, 99.99)
    """
    return EXACT_DB if psnr_db == math.inf else min(psnr_db, _MOST_DB)


@dataclass(frozen=True)
class Trial:
    """One network of a search.

    Args:
        shape: widths of the hidden layers.
        encoding: of the coordinates.
        kolmogorov_weight: lambda, as a number; with ``target_bits``, a guess.
        minutes: of its training.
        task: ``classification`` of a drawing's flat colours, or ``regression``.
        num_bytes: the size of its file; None until it is trained.
        psnr_db: of the picture that the file decodes to, over all pixels; None until then.
        trained_bytes: the size of the network as it was trained. If that is too large, the file
            holds coarser weights, which cost quality.
        trained_db: the PSNR of the network as it was trained.
        trained_bits: of K's description of the network as it was trained. Its file is shorter where
            plain codes are.
        target_bits: that K's description is trained to take, by a lambda that changes; None: lambda
            stays.
    """

    shape: str
    encoding: str
    kolmogorov_weight: float
    minutes: float
    task: str = "regression"
    num_bytes: int | None = None
    psnr_db: float | None = None
    trained_bytes: int | None = None
    trained_db: float | None = None
    trained_bits: float | None = None
    target_bits: int | None = None

    @property
    def is_done(self) -> bool:
        """Whether it is trained and measured."""
        return self.num_bytes is not None and self.psnr_db is not None

    @property
    def size(self) -> int:
        """The size of the file of a trial that is done."""
        assert self.num_bytes is not None
        return self.num_bytes

    @property
    def trained_size(self) -> int:
        """The size as trained of a trial that is done."""
        return self.trained_bytes or self.size

    @property
    def trained_quality_db(self) -> float:
        """The PSNR as trained of a trial that is done."""
        return self.quality_db if self.trained_db is None else self.trained_db

    @property
    def quality_db(self) -> float:
        """The PSNR of a trial that is done."""
        assert self.psnr_db is not None
        return self.psnr_db

    @property
    def quality_text(self) -> str:
        """The PSNR of a trial that is done, in words."""
        return psnr_text(math.inf if self.quality_db >= EXACT_DB else self.quality_db)


@dataclass(frozen=True)
class SearchRecord:
    """The content of ``picture.json``.

    Args:
        target: the picture's path.
        goal: the wanted size or PSNR; with neither, a size is chosen.
        minutes: of the whole search.
        trials: in the order in which they were begun; only the last one may be under way.
        best: the number of the trial whose file is kept, from 0; None before the first.
        is_flat: whether the picture is a drawing of flat colours, which are learned as classes.
    """

    target: str
    goal: Goal
    minutes: float
    trials: tuple[Trial, ...] = ()
    best: int | None = None
    is_flat: bool = False

    @property
    def done(self) -> tuple[Trial, ...]:
        """The trials that are trained and measured."""
        return tuple(trial for trial in self.trials if trial.is_done)

    @property
    def spent_minutes(self) -> float:
        """Minutes of all trials."""
        return sum(trial.minutes for trial in self.trials)

    def with_trial(self, trial: Trial) -> SearchRecord:
        """Return a copy with a trial more, or with the last one measured."""
        kept = self.trials
        if kept and not kept[-1].is_done:
            kept = kept[:-1]
        return replace(self, trials=(*kept, trial))

    def is_better(self, trial: Trial) -> bool:
        """Whether a measured trial reaches the goal better than the best so far.

        With a PSNR, a file that reaches it beats one that does not, and then the smaller one is
        better. Otherwise all files are within the size, and the higher PSNR is better.
        """
        if self.best is None:
            return True
        return self._rank(trial) > self._rank(self.trials[self.best])

    def reaches(self, trial: Trial) -> bool:
        """Whether a measured trial reaches the goal."""
        if self.goal.psnr_db is not None:
            return trial.quality_db >= min(self.goal.psnr_db, EXACT_DB)
        return self.goal.num_bytes is None or trial.size <= self.goal.num_bytes

    def _rank(self, trial: Trial) -> tuple[bool, float]:
        reaches = self.reaches(trial)
        by_size = (self.goal.psnr_db is not None) == reaches
        return reaches, -trial.size if by_size else trial.quality_db

    def write(self, folder: Path) -> None:
        """Write the record, whole or not at all.

        Raises:
            RunError: the folder cannot be written.
        """
        _STORED.write(folder, asdict(self))


def read_search(folder: Path) -> SearchRecord | None:
    """Read the record in a folder; None if there is none.

    Raises:
        RunError: the record is damaged, or has another version.
    """
    return _STORED.read(folder)


def _parse(content: dict[str, Any]) -> SearchRecord:
    trials = tuple(_checked(Trial(**item)) for item in content["trials"])
    best, minutes = content["best"], content["minutes"]
    if not (is_number(minutes) and isinstance(content["target"], str)):
        raise ValueError("no minutes or target")
    if best is not None and not (isinstance(best, int) and 0 <= best < len(trials)):
        raise ValueError("the best trial is none of them")
    is_flat = content.get("is_flat", False) is True
    return SearchRecord(
        content["target"], stored_goal(content["goal"]), minutes, trials, best, is_flat
    )


def _checked(trial: Trial) -> Trial:
    numbers = (
        trial.kolmogorov_weight,
        trial.minutes,
        trial.num_bytes,
        trial.psnr_db,
        trial.trained_bytes,
        trial.trained_db,
        trial.trained_bits,
        trial.target_bits,
    )
    is_whole = all(number is None or is_number(number) for number in numbers)
    words = (trial.shape, trial.encoding, trial.task)
    is_named = all(isinstance(word, str) for word in words) and trial.task in TASKS
    if not (is_whole and is_named):
        raise ValueError("a trial has numbers that are none")
    return trial


_STORED = StoredRecord(NAME, "a search", FORMAT, VERSION, _parse, _MAX_BYTES)
