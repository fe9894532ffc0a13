"""The numbers of an epoch: names as a contract, and values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping

from bitfold.polytopes import FOLD_MEASURES
from bitfold.runtime.strangers.bounded_json import LARGEST_NUMBER, is_number, shortened

MAX_EPOCHS = 10**9
#: One line of ``metrics.jsonl``: name to number, or None where it was not measured.
Metrics = Mapping[str, float | int | None]

#: The names of a line, in order; docs/run-folder.md documents each. Names after ``seconds`` stand
#: only in lines of epochs whose folds were measured, with one more name for each layer.
METRIC_NAMES = (
    "epoch",
    "combined_loss",
    "task_loss",
    "kolmogorov_loss",
    "kolmogorov_weight",
    "validation_loss",
    "accuracy",
    "psnr_db",
    "description_bits",
    "weights_out_of_range",
    "grad_norm_task_network",
    "grad_norm_kolmogorov_network",
    "grad_norm_kolmogorov_predictor",
    "seconds",
    *FOLD_MEASURES,
    "pattern_flips",
    "bits_per_polytope",
)

_WITHOUT_FOLDS = frozenset(METRIC_NAMES[: METRIC_NAMES.index("seconds") + 1])


def without_folds(metrics: Metrics) -> Metrics:
    """Return the metrics that are known as soon as an epoch ends: all but those of folds."""
    return {name: value for name, value in metrics.items() if name in _WITHOUT_FOLDS}


def finite(metrics: Metrics) -> Metrics:
    """Return metrics with None in place of values that are not finite, or beyond 1e100.

    >>> finite({"epoch": 1, "task_loss": float("nan")})
    {'epoch': 1, 'task_loss': None}
    """
    return {
        name: value if value is None or abs(value) <= LARGEST_NUMBER else None
        for name, value in metrics.items()
    }


def checked_metrics(found: object) -> dict[str, float | int | None]:
    """Return metrics as they were read, if they are as `finite` leaves them.

    Raises:
        ValueError: they are not; the message names the first value that is wrong.

    >>> checked_metrics({"epoch": 1, "task_loss": "low"})
    Traceback (most recent call last):
    ValueError: expected a number or null as task_loss, got 'low'
    """
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, got {shortened(found)}")
    for name, value in found.items():
        if not (value is None or is_number(value)):
            raise ValueError(
                f"expected a number or null as {shortened(name).strip(chr(39))}, got "
                f"{shortened(value)}"
            )
    return found


def checked_epoch(found: object) -> int:
    """Return the number of an epoch as it was read.

    Raises:
        ValueError: it is not a whole number of 0 to 10^9.
    """
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= MAX_EPOCHS:
        expected = f"expected an epoch of 0 to {MAX_EPOCHS:,}"
        raise ValueError(f"{expected}, got {shortened(found)}")
    return found
