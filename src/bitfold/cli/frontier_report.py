"""A frontier as a table and as figures."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from bitfold.cli.frontier_record import FrontierPoint, FrontierRecord
from bitfold.render import QualityAxis, SizePoint, plot_frontier

FIGURES = ("frontier.png", "frontier.svg")


def print_table(record: FrontierRecord, folder: Path, console: Console) -> None:
    """Print a row for each network by rising size, those without a file last, and the best."""
    front, best = record.front(), record.best()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("lambda", "seed", "bytes", _quality_name(record)):
        table.add_column(name, justify="right")
    table.add_column("")
    for point in sorted(record.points, key=lambda p: (p.num_bytes is None, p.num_bytes or 0)):
        note = "front" if point in front else ""
        if point.num_bytes is None:
            note = f"no file: ended by {point.status}"
        elif point == best:
            note = "best"
        style = "bold" if point == best else ("" if point in front else "dim")
        table.add_row(
            str(point.kolmogorov_weight),
            str(point.seed),
            _count(point.num_bytes),
            _quality(point),
            note,
            style=style,
        )
    console.print(table)
    if best is None and front:
        console.print(f"None of them is {_asked(record)}.", highlight=False)
    for name in ("" if best is None else str(best.file), *(FIGURES if front else ())):
        if name:
            console.print(f"  {folder / name}", markup=False, highlight=False, soft_wrap=True)


def draw_figures(record: FrontierRecord, folder: Path) -> None:
    """Draw size against quality into the frontier's folder.

    Raises:
        RenderError: a figure cannot be written.
    """
    front, best = record.front(), record.best()
    # Numbers by size, and then what is written in words.
    order = sorted(
        record.points, key=lambda p: (isinstance(p.kolmogorov_weight, str), p.kolmogorov_weight)
    )
    points = [
        SizePoint(
            point.num_bytes,
            _height(point, is_regression=_is_regression(record)),
            f"λ {point.kolmogorov_weight}",
            point in front,
            point == best,
        )
        for point in order
        if point.num_bytes is not None
    ]
    title = f"{Path(str(record.settings['target'])).name}, {record.settings['shape']}"
    is_ratio = not _is_regression(record) and all(point.quality > 0 for point in points)
    axis = QualityAxis("PSNR, decoded (dB)")
    if not _is_regression(record):
        axis = QualityAxis("wrong pixels, decoded (%)", is_ratio)
    for name in FIGURES:
        plot_frontier(points, folder / name, title=title, axis=axis)


def _height(point: FrontierPoint, *, is_regression: bool) -> float:
    if is_regression:
        # Beyond it nothing is seen, and there is no end to it.
        return min(point.psnr_db if point.psnr_db is not None else 100.0, 100.0)
    return 100 * (point.error or 0.0)


def _is_regression(record: FrontierRecord) -> bool:
    return any(point.psnr_db is not None for point in record.points)


def _quality_name(record: FrontierRecord) -> str:
    return "PSNR" if _is_regression(record) else "wrong"


def _quality(point: FrontierPoint) -> str:
    if point.error is None:
        return ""
    return f"{point.psnr_db:.2f} dB" if point.psnr_db is not None else f"{100 * point.error:.2f} %"


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _asked(record: FrontierRecord) -> str:
    if record.wanted.num_bytes is not None:
        return f"within {record.wanted.num_bytes:,} bytes"
    return f"within an error of {record.wanted.error:.4g}"
