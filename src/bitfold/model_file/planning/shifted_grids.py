"""Grids that do not go through 0, or on which all numbers but a few lie."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack, vstack

from bitfold.model_file.planning.grids import OnGrid
from bitfold.model_file.planning.step_search import least_count
from bitfold.model_file.syntax.plan import NO_EXCEPTIONS, Exceptions

Floats = NDArray[np.float64]

# The search for a grid begins with this many of the numbers, of which this share lies on the grid.
_SAMPLE, _SHARE_ON_GRID = 64, 0.9
# Fewer numbers would lie on some grid by chance.
_LEAST_NUMBERS = 16
# At most one number in this many is off the grid.
_NUMBERS_EACH = 16
_MOST_STEPS = 2**15
# The relative error of a quotient of differences in float32, and the largest error that still tells
# numbers on a grid from others.
_ROUNDING, _LARGEST_ERROR = 2.0**-22, 1 / 32
# Step and offset are fitted to this many different values at most and at least.
_MOST_FITTED, _LEAST_VALUES = 1024, 3
# A value below this share of a step counts as 0.
_SMALL_OFFSET = 2.0**-10
# Numbers near 0 have half places that are too small for a linear program; this is the least, as a
# share of the largest.
_LEAST_HALF = 2.0**-20
# Their rounding to float32 is kept within this share of half a place.
_WITHIN = 1 - 2.0**-10


def shifted_grid(
    values: NDArray[np.float32], known: Iterable[tuple[float, float]] = ()
) -> OnGrid | None:
    """Find a step and an offset in float64 with which nearly all values are exact.

    The weights that a `KolmogorovLoss` of a fixed range describes lie on such a grid: their step is
    no float32, and 0 is no bin of an even number of bins.

    Args:
        values: float32 (n,), finite.
        known: steps and offsets of other tensors, which are tried first: repeated ones cost 1 bit.

    Returns:
        Whole numbers, a step and an offset: ``number * step + offset`` in float64, rounded to
        float32, equals the value of all but the exceptions, at most one in 16. None if there is no
        such grid.
    """
    for known_grid in dict.fromkeys(known):
        found = _with_exceptions(values, *known_grid)
        if found is not None and not len(found.exceptions.places):
            return found
    if len(values) < _LEAST_NUMBERS:
        return None
    step = _step_of_sample(values.astype(np.float64))
    if step is None:
        return None
    exact = values.astype(np.float64)
    middle = float(np.sort(exact)[len(exact) // 2])
    places = (exact - middle) / step
    numbers = np.rint(places)
    is_near = np.abs(places - numbers) <= _LARGEST_ERROR
    fit = _fitted(values[is_near], numbers[is_near])
    return None if fit is None else _with_exceptions(values, *fit)


def _step_of_sample(exact: Floats) -> float | None:
    """The step at which most differences of a sample are whole, to within rounding."""
    sample = exact[:: max(1, len(exact) // _SAMPLE)][:_SAMPLE]
    differences = np.abs(sample - np.sort(sample)[len(sample) // 2])
    differences = np.sort(differences[differences > 0])
    if len(differences) == 0:
        return None
    # An outlier is likely to be the largest of all.
    top = float(differences[int(_SHARE_ON_GRID * (len(differences) - 1))])
    error = _ROUNDING * float(np.quantile(np.abs(sample), _SHARE_ON_GRID)) / top + _ROUNDING
    most = min(_MOST_STEPS, int(_LARGEST_ERROR / error))
    count = least_count(differences / top, most, error, _SHARE_ON_GRID)
    return top / count if count else None


def _fitted(values: NDArray[np.float32], numbers: Floats) -> tuple[float, float] | None:
    """The step and the offset that give the most values exactly.

    Counted in half places of each value's float32, the error of ``number * step + offset`` has to
    be below 1. A linear program minimises the sum of what goes beyond that.
    """
    values, first = np.unique(values, return_index=True)
    if len(values) < _LEAST_VALUES:
        return None
    chosen = np.unique(np.linspace(0, len(values) - 1, _MOST_FITTED).astype(np.int64))
    exact, places = values[chosen].astype(np.float64), numbers[first][chosen]
    step, offset = map(float, np.polyfit(places, exact, 1))
    places, offset = places + round(offset / step), offset - round(offset / step) * step
    half = np.spacing(np.abs(values[chosen])).astype(np.float64) / 2
    # The unknowns are changes of step and offset, in units that make them about 1.
    unit = float(half.max())
    half = np.maximum(half, unit * _LEAST_HALF)
    change_of_offset: tuple[float | None, float | None] = (None, None)
    least = float(exact[np.abs(exact).argmin()])
    if abs(least) < step * _SMALL_OFFSET:
        # The value of the number 0: it is 0, or what rounding in float64 left of it.
        offset, change_of_offset = least, (0.0, 0.0)
    span = float(np.abs(places).max())
    columns = csr_array(
        np.stack([places / span, np.ones_like(places)], axis=1) * unit / half[:, None]
    )
    errors, slack = (exact - places * step - offset) / half, -eye_array(len(exact))
    program = linprog(  # type: ignore[call-overload] # its stubs know no sparse tables
        np.r_[0.0, 0.0, np.ones(len(exact))],
        A_ub=vstack([hstack([columns, slack]), hstack([-columns, slack])]),
        b_ub=np.r_[_WITHIN + errors, _WITHIN - errors],
        bounds=[(None, None), change_of_offset] + [(0, None)] * len(exact),
    )
    if not program.success:
        return None
    step, offset = step + program.x[0] * unit / span, offset + program.x[1] * unit
    return (float(step), float(offset)) if step > 0 else None


def _with_exceptions(values: NDArray[np.float32], step: float, offset: float) -> OnGrid | None:
    """All values on a grid, unless too many are off it."""
    numbers = np.rint((values.astype(np.float64) - offset) / step)
    numbers = np.clip(numbers, -(2.0**50), 2.0**50)
    is_exact = (numbers * step + offset).astype(np.float32) == values
    (places,) = np.nonzero(~is_exact)
    # On a grid that is fine enough, all numbers lie.
    is_fine = bool(is_exact.any()) and float(np.abs(numbers[is_exact]).max()) > _MOST_STEPS
    if is_fine or len(places) * _NUMBERS_EACH > len(values):
        return None
    # An exception's own number is never used: the most frequent kind costs least.
    numbers[places] = np.median(numbers[is_exact])
    exceptions = Exceptions(places, values[places]) if len(places) else NO_EXCEPTIONS
    return OnGrid(numbers.astype(np.int64), step, offset, exceptions)
