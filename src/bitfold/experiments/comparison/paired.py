"""What a setting changes: differences between runs that agree in everything else, over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from scipy import stats

from bitfold.experiments.comparison.entries import Entry

#: Confidence of the intervals.
CONFIDENCE: Final = 0.95
# Values of a setting of which all pairs are compared.
_MOST_VALUES = 8
_SEED = "seed"


@dataclass(frozen=True)
class Quantity:
    """A number of each run that is compared.

    Args:
        label: for a person.
        value: of a run; None where it has none.
        is_ratio: whether runs are compared by ratios, for sizes and errors, and not by differences.
    """

    label: str
    value: Callable[[Entry], float | None]
    is_ratio: bool = True


QUANTITIES: Final = (
    Quantity("bytes of the file", lambda entry: entry.end.num_bytes),
    Quantity("error, decoded", lambda entry: entry.end.error),
    Quantity("PSNR, decoded (dB)", lambda entry: entry.end.psnr_db, is_ratio=False),
    Quantity("best validation loss", lambda entry: entry.end.best.get("validation_loss")),
)


@dataclass(frozen=True)
class PairedDifference:
    """How runs with one value of a setting differ from those with another.

    Args:
        setting: its name.
        before: a value.
        after: the value that is compared with it.
        quantity: what is compared.
        centre: ratio of after to before, as a geometric mean, or difference, as a mean, over seeds.
        low: lower end of the interval; None with fewer than two seeds.
        high: upper end.
        num_seeds: seeds over which the interval is taken.
        num_pairs: pairs of runs that agree in all other settings.
        num_larger: of these, those in which ``after`` has the larger number.
    """

    setting: str
    before: Any
    after: Any
    quantity: Quantity
    centre: float
    low: float | None
    high: float | None
    num_seeds: int
    num_pairs: int
    num_larger: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out that nothing changes."""
        none = 1.0 if self.quantity.is_ratio else 0.0
        return self.low is not None and self.high is not None and not self.low <= none <= self.high


def paired_differences(entries: Sequence[Entry]) -> list[PairedDifference]:
    """Compare all pairs of values of each setting but the seed.

    Runs are paired that agree in all other settings, the seed included. With several other settings
    the pairs of one seed are averaged first: they share it, and are not independent. The interval
    is Student's, over seeds, of logarithms for ratios.

    Source: Student (1908), "The Probable Error of a Mean".
    """
    if not entries:
        return []
    names = [name for name in entries[0].settings if name != _SEED]
    return [found for name in names for found in _of_setting(name, entries)]


def _of_setting(name: str, entries: Sequence[Entry]) -> Iterator[PairedDifference]:
    values = list(dict.fromkeys(_key(entry.settings[name]) for entry in entries))
    shown = {_key(entry.settings[name]): entry.settings[name] for entry in entries}
    if not 2 <= len(values) <= _MOST_VALUES:
        return
    for quantity in QUANTITIES:
        found: dict[tuple[Any, ...], dict[Any, float]] = {}
        for entry in entries:
            number = quantity.value(entry)
            if number is None or (quantity.is_ratio and number <= 0):
                continue
            others = {one: _key(v) for one, v in entry.settings.items() if one != name}
            seed = others.pop(_SEED, None)
            place = (seed, *others.values())
            found.setdefault(place, {})[_key(entry.settings[name])] = number
        for before, after in combinations(values, 2):
            pairs = [
                (place[0], both[before], both[after])
                for place, both in found.items()
                if before in both and after in both
            ]
            if pairs:
                yield _difference(name, shown[before], shown[after], quantity, pairs)


def _difference(
    name: str, before: Any, after: Any, quantity: Quantity, pairs: list[tuple[Any, float, float]]
) -> PairedDifference:
    by_seed: dict[Any, list[float]] = {}
    for seed, one, other in pairs:
        # Quotients of extreme numbers are 0 or infinite, and their logarithms are not.
        change = math.log(other) - math.log(one) if quantity.is_ratio else other - one
        by_seed.setdefault(seed, []).append(change)
    changes = np.array([np.mean(some) for some in by_seed.values()])
    centre, number = float(changes.mean()), len(changes)
    half = None
    if number > 1:
        width = float(stats.t.ppf((1 + CONFIDENCE) / 2, number - 1))
        half = width * float(changes.std(ddof=1)) / math.sqrt(number)
    is_ratio = quantity.is_ratio
    return PairedDifference(
        name,
        before,
        after,
        quantity,
        _shown(centre, is_ratio=is_ratio),
        None if half is None else _shown(centre - half, is_ratio=is_ratio),
        None if half is None else _shown(centre + half, is_ratio=is_ratio),
        number,
        len(pairs),
        sum(other > one for _, one, other in pairs),
    )


def _shown(value: float, *, is_ratio: bool) -> float:
    # Beyond 1e300 a float has no exponential; no ratio of sizes comes near.
    return math.exp(min(value, 690.0)) if is_ratio else value


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
