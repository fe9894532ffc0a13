"""A frontier as a figure: size of the file against quality of the network that it decodes to."""

from __future__ import annotations

from pathlib import Path

from bitfold.experiments.frontiers.record import FIGURES, FrontierPoint, FrontierRecord
from bitfold.render import QualityAxis, SizePoint, plot_frontier

# No eye tells pictures of more decibels apart; an error of 0 would be infinitely many.
_MAX_DB = 100.0


def draw_frontier(record: FrontierRecord, folder: Path) -> None:
    """Draw the figures of a frontier into its folder.

    Raises:
        RenderError: a figure cannot be written.
    """
    front, best = record.front(), record.best()
    has_psnr = record.is_regression
    # Lambdas that are numbers come first, by size; mdl and bits:N follow.
    order = sorted(
        record.points, key=lambda p: (isinstance(p.kolmogorov_weight, str), p.kolmogorov_weight)
    )
    points = [
        SizePoint(
            point.num_bytes,
            _height(point, has_psnr=has_psnr),
            f"λ {point.kolmogorov_weight}",
            point in front,
            point == best,
        )
        for point in order
        if point.num_bytes is not None
    ]
    title = f"{Path(str(record.settings['target'])).name}, {record.settings['shape']}"
    axis = QualityAxis("PSNR, decoded, over the picture (dB)")
    if not has_psnr:
        is_ratio = all(point.quality > 0 for point in points)
        axis = QualityAxis("wrong pixels of the picture, decoded (%)", is_ratio)
    for name in FIGURES:
        plot_frontier(points, folder / name, title=title, axis=axis)


def _height(point: FrontierPoint, *, has_psnr: bool) -> float:
    if has_psnr:
        return min(point.psnr_db if point.psnr_db is not None else _MAX_DB, _MAX_DB)
    return 100 * (point.error or 0.0)
