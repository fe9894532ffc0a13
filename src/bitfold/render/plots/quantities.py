"""The quantities that plots show, in rows of panels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from bitfold.errors import RenderError
from bitfold.polytopes import LAYER_MEASURE
from bitfold.render.plots.series import Floats, as_floats

Columns: TypeAlias = Mapping[str, Sequence[float | None]]

MOST_COLUMNS: Final = 4
# Smallest ratio of the last to the first measured epoch for a logarithmic scale of epochs.
_LONG: Final = 30
# Every measurement of folds has this column.
_FOLDS: Final = "num_polytopes"


@dataclass(frozen=True)
class Quantity:
    """One panel: its title, its unit, and the columns whose product it shows.

    Args:
        title: title in plain words.
        unit: unit of the numbers, or empty.
        columns: names of metrics.
        is_logarithmic: whether the scale may be logarithmic.
        marked_by: a column that has a number at each epoch of measurement; a missing number at
            other epochs is not a gap in the line. Empty: every epoch is one of measurement.
        needs: a column without which the panel is left out; empty: none.
        is_by_layer: whether ``columns`` has the prefix of one column for each layer.
    """

    title: str
    unit: str
    columns: tuple[str, ...]
    is_logarithmic: bool = True
    marked_by: str = ""
    needs: str = ""
    is_by_layer: bool = False

    def values(self, columns: Columns) -> Floats:
        """Return the numbers of a run; empty if a column is missing."""
        product = np.ones(1)
        for name in self.columns:
            if name not in columns:
                return np.empty(0)
            product = product * as_floats(columns[name])
        return product

    def looked_at(self, columns: Columns, values: Floats) -> np.ndarray:
        """Return at which epochs a run was measured, bool (N,)."""
        if not self.marked_by:
            return np.ones(len(values), bool)
        return np.asarray(np.isfinite(as_floats(columns[self.marked_by])))

    def layers(self, columns: Columns) -> list[Floats]:
        """Return the numbers of a run for each layer."""
        found: list[Floats] = []
        while (name := f"{self.columns[0]}{len(found) + 1}") in columns:
            found.append(as_floats(columns[name]))
        return found

    def is_shown(self, runs: Mapping[str, Columns]) -> bool:
        """Return whether the panel has something to show."""
        if self.is_by_layer:
            # Lines of several runs and several layers could not be told apart.
            only = next(iter(runs.values()), {})
            return len(runs) == 1 and len(self.layers(only)) > 1
        return any(self._is_shown_of(columns) for columns in runs.values())

    def _is_shown_of(self, columns: Columns) -> bool:
        values = self.values(columns)
        if self.needs and not np.isfinite(as_floats(columns.get(self.needs, ()))).any():
            return False
        # Zeros of lambda*K mean that there is no K; zeros of a loss are worth showing.
        return bool(np.isfinite(values).any() and (len(self.columns) == 1 or np.nansum(values)))


def _norm(title: str, column: str) -> Quantity:
    """Describe the norm of a gradient, measured every 50 epochs."""
    return Quantity(title, "norm", (column,), marked_by=column)


def _fold(title: str, column: str, unit: str = "") -> Quantity:
    """Describe a measure of folds; shares have a linear scale."""
    return Quantity(title, unit, (column,), is_logarithmic=unit != "share", marked_by=_FOLDS)


_TASK = Quantity("task loss", "", ("task_loss",))
_LAMBDA_K = Quantity("λ·K", "", ("kolmogorov_weight", "kolmogorov_loss"))
_VALIDATION = Quantity("validation loss", "", ("validation_loss",))
_BITS = Quantity("description length", "bits", ("description_bits",))
_PSNR = Quantity("PSNR at validation points", "dB", ("psnr_db",), is_logarithmic=False)
_ACCURACY = Quantity("accuracy at validation points", "", ("accuracy",), is_logarithmic=False)

ROWS: Final[dict[str, tuple[tuple[Quantity, ...], ...]]] = {
    "losses": (
        (Quantity("combined loss", "", ("combined_loss",)), _TASK, _LAMBDA_K, _VALIDATION),
        (
            Quantity("K", "nats per weight", ("kolmogorov_loss",)),
            _BITS,
            _PSNR,
            _ACCURACY,
        ),
    ),
    "gradients": (
        (
            _norm("task → network", "grad_norm_task_network"),
            _norm("K → network", "grad_norm_kolmogorov_network"),
            _norm("K → predictor", "grad_norm_kolmogorov_predictor"),
        ),
    ),
    "folds": (
        (
            Quantity("combined loss", "", ("combined_loss",), needs="kolmogorov_loss"),
            _TASK,
            _LAMBDA_K,
            _VALIDATION,
            _BITS,
        ),
        (
            _fold("polytopes", _FOLDS),
            _fold("polytopes over N²/2", "polytopes_over_half_n_squared"),
            _fold("area of the largest 1 %", "area_of_largest_percent", "share"),
            _fold("bits per polytope", "bits_per_polytope"),
            _fold("pattern flips", "pattern_flips", "share"),
        ),
        (
            _fold("fold length per area", "fold_length_per_area"),
            Quantity("… by layer", "", (LAYER_MEASURE,), marked_by=_FOLDS, is_by_layer=True),
            _fold("points to nearest fold", "point_fold_distance"),
            _fold("folds to decision boundary", "fold_boundary_distance"),
            _fold("slope jump across folds", "slope_jump"),
        ),
        (
            _fold("slope norm", "slope_norm"),
            _fold("neurons off everywhere", "dead_neurons", "share"),
            _fold("neurons on everywhere", "always_on_neurons", "share"),
            _fold("area where a neuron is on", "mean_area_on", "share"),
        ),
    ),
    "summary": (
        (
            Quantity("combined loss", "", ("combined_loss",), needs="kolmogorov_loss"),
            _TASK,
            Quantity("K", "nats per weight", ("kolmogorov_loss",)),
        ),
        (_VALIDATION, _BITS, _PSNR, _ACCURACY),
    ),
}


def are_geometric(runs: Mapping[str, Columns]) -> bool:
    """Return whether folds of some run were measured at epochs in about equal ratios.

    If epochs are equally spaced, their median is half the last epoch. If they have equal ratios,
    the median is the square root of the last. A quarter of the last lies between.
    """
    for columns in runs.values():
        is_there = np.isfinite(as_floats(columns.get(_FOLDS, ())))
        epochs = as_floats(columns.get("epoch", range(1, len(is_there) + 1)))[is_there]
        if len(epochs) and epochs[-1] >= _LONG * epochs[0] and np.median(epochs) < epochs[-1] / 4:
            return True
    return False


def present(runs: Mapping[str, Columns], what: str) -> list[list[Quantity]]:
    """Return the rows of panels, without those for which no run has a number.

    Args:
        runs: columns of each run by its name.
        what: a key of `ROWS`.

    Raises:
        RenderError: ``what`` is unknown, columns differ in length, or no run has a number.
    """
    if what not in ROWS:
        raise RenderError(
            f"Cannot plot {what!r}: expected one of {', '.join(ROWS)}, got {what!r}. Choose one."
        )
    for name, columns in runs.items():
        lengths = {len(column) for column in columns.values()}
        if len(lengths) > 1:
            raise RenderError(
                f"Cannot plot the run {name}: expected columns of one length, "
                f"got {sorted(lengths)}. Read its metrics again."
            )
    rows = [[quantity for quantity in row if quantity.is_shown(runs)] for row in ROWS[what]]
    own = rows if what != "folds" else rows[1:]
    if not any(own):
        raise RenderError(
            f"Cannot plot {what}: expected a run with at least one epoch of them, "
            f"got {len(runs)} runs without. Choose other runs."
        )
    if sum(map(len, rows)) <= MOST_COLUMNS:
        rows = [[quantity for row in rows for quantity in row]]
    return [row for row in rows if row]
