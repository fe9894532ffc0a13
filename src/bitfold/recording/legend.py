"""The lines of a frame's legend."""

from __future__ import annotations

from collections.abc import Sequence

from bitfold.runtime.display.decibels import psnr_of, psnr_text
from bitfold.training import Config, Metrics, Moment, RunRecord

_NONE = "-"


def legend_of(
    run: RunRecord,
    moment: Moment,
    num_polytopes: Sequence[int],
    *,
    is_exact: bool = True,
    misclassified: float | None = None,
    baseline_error: float | None = None,
) -> list[tuple[str, str]]:
    """Return (label, value) pairs; the labels are the same for every moment of a run.

    Args:
        run: gives the values that stay the same.
        moment: gives the epoch and its metrics.
        num_polytopes: number of polytopes in each slice.
        is_exact: whether all polytopes were counted; else only those seen at the pixels.
        misclassified: share of the raster's pixels with a wrong class; None for regression.
        baseline_error: error of the kernel smoothing at the validation points, which a network
            should beat: mean square, or share of wrong classes; None where it is not shown.
    """
    config, metrics = run.config, moment.metrics
    label = "polytopes" if is_exact else "polytopes seen"
    return [
        ("epoch", f"{moment.epoch:,} / {config.epochs:,}"),
        ("task loss", _number(metrics.get("task_loss"), ".5f")),
        *(_kolmogorov_pairs(config, metrics) if config.has_kolmogorov else ()),
        ("validation loss", _number(metrics.get("validation_loss"), ".5f")),
        *_quality_pairs(metrics, misclassified, baseline_error),
        (label, " · ".join(f"{number:,}" for number in num_polytopes)),
        ("shape", config.shape),
        ("points", f"{len(run.split.training):,} + {len(run.split.validation):,}"),
        ("optimiser", config.optimizer),
        ("rate", f"{config.learning_rate:g}"),
        ("seed", str(config.seed)),
    ]


def _kolmogorov_pairs(config: Config, metrics: Metrics) -> list[tuple[str, str]]:
    return [
        ("K, nats per weight", _number(metrics.get("kolmogorov_loss"), ".4f")),
        _lambda(config, metrics),
        ("combined", _number(metrics.get("combined_loss"), ".5f")),
        ("description", _number(metrics.get("description_bits"), ",.0f", " bits")),
    ]


def _quality_pairs(
    metrics: Metrics, misclassified: float | None, baseline_error: float | None
) -> list[tuple[str, str]]:
    is_regression = misclassified is None
    if misclassified is None:
        pairs = [("PSNR, validation", _psnr(metrics.get("psnr_db")))]
    else:
        accuracy = _number(metrics.get("accuracy"), ".2%")
        pairs = [("accuracy, validation", accuracy), ("misclassified", f"{misclassified:.2%}")]
    if baseline_error is not None:
        pairs.append(("kernel smoothing", _baseline(baseline_error, is_regression)))
    return pairs


def _lambda(config: Config, metrics: Metrics) -> tuple[str, str]:
    weight = config.kolmogorov.weight
    if isinstance(weight, str):
        return f"lambda, {weight}", _number(metrics.get("kolmogorov_weight"), ".3g")
    return "lambda", f"{weight:g}"


def _baseline(error: float, is_regression: bool) -> str:
    if not is_regression:
        return f"{1 - error:.2%}"
    return psnr_text(psnr_of(error))


def _psnr(value: float | None) -> str:
    return _NONE if value is None else psnr_text(value)


def _number(value: float | int | None, form: str, unit: str = "") -> str:
    return _NONE if value is None else f"{value:{form}}{unit}"
