"""The numbers of an epoch: names as a contract, and values that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bitfold.polytopes import FOLD_MEASURES

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
    """Return metrics with None in place of values that are not finite: JSON cannot hold those.

    >>> finite({"epoch": 1, "task_loss": math.nan})
    {'epoch': 1, 'task_loss': None}
    """
    return {
        name: value if value is None or math.isfinite(value) else None
        for name, value in metrics.items()
    }
