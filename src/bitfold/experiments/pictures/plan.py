"""Which network a search tries next: a function of what it has tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bitfold.errors import ConfigError
from bitfold.experiments.pictures.record import SearchRecord, Trial
from bitfold.networks import Encoding, count_parameters

#: Smaller files cannot hold a picture: the recipe and the scales of the smallest network take this.
LEAST_BYTES: Final = 40
# A first guess of the bits of a weight, of the quality, and of the cross-entropy of classes.
_BITS_PER_WEIGHT, _GUESSED_DB, _GUESSED_LOSS = 4.5, 25.0, 0.002
# The share of the bits for the layers behind grids: most features of fine grids become 0.
_BEHIND_GRIDS: Final = 0.15
# The share of the minutes of each trial but the last one, which gets the rest.
_FIRST: Final = 0.12
# Bytes of classes fall for a long time: the second trial of a kind is as long as the last one.
_FLAT_SECOND: Final = 0.32
# Bytes of classes after a long trial, as a share of those after a short one.
_FLAT_SHRINKS: Final = 0.85
# Files should fill this share of the wanted size: a network that is a bit too large is lost.
_FILLED: Final = 0.95
# Less is lost if bits are aimed at. Fewer bits than this are not, as steps alone take 200.
_AIMED, _LEAST_AIMED_BITS = 0.96, 1000
_LEAST_WIDTH, _MOST_WIDTH = 3, 64
# The kinds of networks that are tried: an encoding, and the number of hidden layers.
# Drawings of flat colours are learned as classes.
_FLAT: Final = (("none", 3), ("triangle:1", 3), ("triangle:2", 2))
_SMALL: Final = (("none", 3), ("triangle:1", 3), ("triangle:2", 2))
_MIDDLE: Final = (("triangle:2", 3), ("triangle:3", 3), ("grid:2x2", 2))
_LARGE: Final = (("grid:5x1", 2), ("grid:5x2", 2), ("grid:6x1", 2))
_SMALL_BYTES, _MIDDLE_BYTES = 700, 1600
# Decibels that four times the bytes bring, about. The error then falls as bytes^-0.66.
_DB_PER_FACTOR_4: Final = 4.0
_FLAT_DB_PER_FACTOR_4: Final = 10.0
_POWER: Final = _DB_PER_FACTOR_4 * math.log(10) / 10 / math.log(4)
# Two sizes that are nearly the same, or trained for different times, tell little of the power.
_LEAST_EXPONENT, _MOST_EXPONENT = 1.0, 3.5


def next_trial(record: SearchRecord, num_pixels: int) -> Trial | None:
    """Return the trial to begin with what a search knows; None if its minutes are over.

    First each kind of network gets a share of the minutes. Then the best kind is trained once more
    with a width and a lambda that suit the wanted size better, and at last for long, with those by
    which the trial that came nearest would have met it. In a search for a PSNR the wanted size
    moves meanwhile.

    Args:
        record: of the search; all its trials are done.
        num_pixels: of the picture.
    """
    done, left = record.done, record.minutes - record.spent_minutes
    if left < 0.02 * record.minutes:
        return None
    wanted = wanted_bytes(record, num_pixels)
    kinds = _kinds(_first_wanted(record, num_pixels), is_flat=record.is_flat)
    task = "classification" if record.is_flat else "regression"
    if len(done) < len(kinds):
        encoding, depth = kinds[len(done)]
        width = _width(encoding, depth, 8 * wanted, _BITS_PER_WEIGHT)
        loss = _GUESSED_LOSS if record.is_flat else 10 ** (-_GUESSED_DB / 10)
        nats = 8 * wanted * math.log(2) / _num_weights(encoding, depth, width)
        weight = _best_lambda(loss, nats)
        return Trial(f"[{width}]*{depth}", encoding, weight, _FIRST * record.minutes, task)
    num_improved = 1 if record.goal.psnr_db is None else 2  # a PSNR has to be found, too
    is_last = len(done) >= len(kinds) + num_improved
    best = max(done, key=lambda trial: _score(trial, wanted))
    share = _FLAT_SECOND if record.is_flat else _FIRST
    alike = [trial for trial in done if _kind(trial) == _kind(best)]
    alike.sort(key=lambda trial: abs(math.log(trial.trained_size / wanted)))
    if not is_last:
        return _improved(alike, wanted, min(left, share * record.minutes))
    return _aimed(_improved(alike, wanted, left), alike[0], wanted)


def usual_bytes(num_pixels: int) -> int:
    """Return the size of a search without a goal: 0.3 bits a pixel."""
    return max(300, min(20_000, round(num_pixels * 0.3 / 8)))


def check_goal(record: SearchRecord) -> None:
    """Refuse a size that no picture fits into.

    Raises:
        ConfigError: the size is below `LEAST_BYTES`.
    """
    size = record.goal.num_bytes
    if size is not None and size < LEAST_BYTES:
        raise ConfigError(
            f"Cannot write a picture in {size} bytes: expected at least {LEAST_BYTES}, which the "
            f"smallest network takes. Use --bytes {LEAST_BYTES} or more."
        )


def wanted_bytes(record: SearchRecord, num_pixels: int) -> int:
    """Return the size to train for: the goal's, or the one at which the PSNR is expected."""
    goal = record.goal
    if goal.psnr_db is None or not record.done:
        return _first_wanted(record, num_pixels)
    nearest = min(record.done, key=lambda trial: abs(trial.quality_db - float(goal.psnr_db or 0)))
    factor = 4 ** ((goal.psnr_db + 0.2 - nearest.quality_db) / _DB_PER_FACTOR_4)
    return max(LEAST_BYTES, round(nearest.size * min(8.0, max(0.125, factor))))


def _first_wanted(record: SearchRecord, num_pixels: int) -> int:
    return record.goal.num_bytes or usual_bytes(num_pixels)


def _kinds(wanted: int, *, is_flat: bool) -> tuple[tuple[str, int], ...]:
    if is_flat:
        return _FLAT
    if wanted < _SMALL_BYTES:
        return _SMALL
    return _MIDDLE if wanted < _MIDDLE_BYTES else _LARGE


def _improved(alike: Sequence[Trial], wanted: int, minutes: float) -> Trial:
    """A trial with a width, and a lambda, that would have made a file as large as wanted.

    Args:
        alike: trials of the best kind, the one whose size is nearest to the wanted one first.
        wanted: bytes.
        minutes: of the trial.
    """
    best = alike[0]
    num_weights = _num_weights(best.encoding, *_depth_and_width(best.shape))
    bits = 8 * best.trained_size / num_weights
    if best.task == "classification" and best.minutes < minutes / 2:
        bits *= _FLAT_SHRINKS
    depth, _ = _depth_and_width(best.shape)
    width = _width(best.encoding, depth, 8 * _FILLED * wanted, bits)
    excess = _num_weights(best.encoding, depth, width) * bits / (8 * _FILLED * wanted)
    if best.task == "classification" or Encoding.parse(best.encoding).num_levels:
        # The bits are mostly lambda's: bytes ~ lambda^(-1 / exponent).
        weight = best.kolmogorov_weight * excess ** _exponent(alike)
    else:
        # A trial is trained for a short time only: its error is not yet that of its size.
        error = 10 ** (-max(best.quality_db, _GUESSED_DB) / 10)
        weight = _best_lambda(error, bits * math.log(2)) * excess**3
    nearest = min(8 * best.kolmogorov_weight, max(best.kolmogorov_weight / 8, weight))
    rounded = float(f"{nearest:.3g}")
    return Trial(f"[{width}]*{depth}", best.encoding, rounded, minutes, best.task)


def _aimed(trial: Trial, before: Trial, wanted: int) -> Trial:
    """A long trial of grids that is trained for bits: at one lambda, bytes change with time.

    Args:
        trial: as planned by lambda.
        before: a trial of its kind. K's bits over those of its file are taken to stay the same.
        wanted: bytes.
    """
    if not Encoding.parse(trial.encoding).num_levels or before.trained_bits is None:
        return trial
    bits = before.trained_bits * _AIMED * wanted / before.trained_size
    return trial if bits < _LEAST_AIMED_BITS else replace(trial, target_bits=round(bits))


def _exponent(alike: Sequence[Trial]) -> float:
    """By which power of the bytes lambda falls: measured where two trials differ in lambda alone.

    >>> tried = [Trial("[9]", "grid:5x1", weight, 1.0, num_bytes=size, psnr_db=20.0)
    ...          for weight, size in ((0.001, 2000), (0.004, 1000))]
    >>> round(_exponent(tried), 3), round(_exponent(tried[:1]), 3)
    (2.0, 1.664)
    """
    best, *others = alike
    for other in others:
        growth = math.log(other.trained_size / best.trained_size)
        fall = math.log(best.kolmogorov_weight / other.kolmogorov_weight)
        is_comparable = other.shape == best.shape and best.target_bits is other.target_bits is None
        if is_comparable and growth * fall > 0:
            return min(_MOST_EXPONENT, max(_LEAST_EXPONENT, fall / growth))
    return 1 + _POWER


def _kind(trial: Trial) -> tuple[str, int]:
    return trial.encoding, _depth_and_width(trial.shape)[0]


def _best_lambda(error: float, nats: float) -> float:
    """The lambda at which one more percent of K costs what it brings, if error ~ bytes^-power."""
    return float(f"{_POWER * error / nats:.3g}")


def _width(encoding: str, depth: int, num_bits: float, bits_per_weight: float) -> int:
    """Return the largest width whose weights fit into a number of bits.

    Layers behind grids get a share of the bits, whatever the features take.
    """
    num_features = Encoding.parse(encoding).num_weights(2)
    if num_features:
        num_bits, bits_per_weight = _BEHIND_GRIDS * num_bits, _BITS_PER_WEIGHT
    most, width = num_features + num_bits / bits_per_weight, _LEAST_WIDTH
    while width < _MOST_WIDTH and _num_weights(encoding, depth, width + 1) <= most:
        width += 1
    return width


def _num_weights(encoding: str, depth: int, width: int) -> int:
    found = Encoding.parse(encoding)
    return found.num_weights(2) + count_parameters(found.num_features(2), [width] * depth, 3)


def _depth_and_width(shape: str) -> tuple[int, int]:
    width, _, depth = shape.partition("*")
    return int(depth), int(width.strip("[]"))


def _score(trial: Trial, wanted: int) -> float:
    """The PSNR that a trial's network would have at a size, about."""
    is_flat = trial.task == "classification"
    slope = _FLAT_DB_PER_FACTOR_4 if is_flat else _DB_PER_FACTOR_4
    return trial.trained_quality_db + slope * math.log(wanted / trial.trained_size, 4)
