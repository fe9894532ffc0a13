"""The losses and folds of runs as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bitfold.render import plot_losses
from bitfold.training import Run


def draw_loss_figure(runs: Sequence[Run], path: Path, *, what: str = "losses") -> None:
    """Draw metrics of runs over epochs.

    Args:
        runs: at least one; if two have the same folder name, all are labelled by their paths.
        path: a PNG or SVG file.
        what: ``losses`` (combined, task, lambda*K and validation loss, K, bits and quality),
            ``gradients``, or ``folds`` beside the losses.

    Raises:
        RenderError: the file cannot be written, the suffix is unknown, or no run has the metrics.
    """
    names = [run.path.name for run in runs]
    distinct = len(set(names)) == len(names)
    labels = names if distinct else [str(run.path) for run in runs]
    columns = {label: run.metrics for label, run in zip(labels, runs, strict=True)}
    plot_losses(columns, path, what=what)
