"""Losses and lengths over epochs, one small panel for each, all runs in every panel."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bitfold.errors import RenderError
from bitfold.files import write_atomically
from bitfold.render.colours import INK, MUTED, RULE, SERIES_COLOURS, Colour
from bitfold.render.series import Floats, as_floats, envelope, lone

Columns: TypeAlias = Mapping[str, Sequence[float | None]]

PANEL_WIDTH_INCHES: Final = 3.3
PANEL_HEIGHT_INCHES: Final = 2.4
DOTS_PER_INCH: Final = 160
# Positive series that span more than this ratio are drawn on a logarithmic scale.
LOGARITHMIC_FROM_RATIO: Final = 5.0
# Runs beyond the colours are told apart by dashes as well.
DASHES: Final = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
ROUND_STEPS: Final = (1, 2, 5, 10)
LONGEST_NAME: Final = 36
MOST_COLUMNS: Final = 4


@dataclass(frozen=True)
class _Quantity:
    """One panel: its title, its unit, and the columns whose product it shows."""

    title: str
    unit: str
    columns: tuple[str, ...]
    is_logarithmic: bool = True
    has_gaps: bool = True


ROWS: Final[dict[str, tuple[tuple[_Quantity, ...], ...]]] = {
    "losses": (
        (
            _Quantity("combined loss", "", ("combined_loss",)),
            _Quantity("task loss", "", ("task_loss",)),
            _Quantity("λ·K", "", ("kolmogorov_weight", "kolmogorov_loss")),
            _Quantity("validation loss", "", ("validation_loss",)),
        ),
        (
            _Quantity("K", "nats per weight", ("kolmogorov_loss",)),
            _Quantity("description length", "bits", ("description_bits",)),
            _Quantity("PSNR", "dB", ("psnr_db",), is_logarithmic=False),
            _Quantity("accuracy", "", ("accuracy",), is_logarithmic=False),
        ),
    ),
    "gradients": (
        (
            _Quantity("task → network", "norm", ("grad_norm_task_network",), has_gaps=False),
            _Quantity("K → network", "norm", ("grad_norm_kolmogorov_network",), has_gaps=False),
            _Quantity("K → predictor", "norm", ("grad_norm_kolmogorov_predictor",), has_gaps=False),
        ),
    ),
}


def plot_losses(runs: Mapping[str, Columns], path: Path | str, *, what: str = "losses") -> None:
    """Draw metrics of one or more runs over epochs.

    Each quantity has a panel; those that no run has are left out, as is lambda*K where it is zero
    throughout. Series of more than 480 epochs are drawn as the median of bins, in the band between
    their minimum and maximum. Nothing of pyplot's global state is used.

    Source: none, ours.

    Args:
        runs: for each run's name its columns, as they stand in ``metrics.jsonl``; None is a gap.
        path: of the figure, ending in ``.png`` or ``.svg``; replaced at once when it is complete.
        what: ``losses`` (with K, bits and quality in a second row) or ``gradients``.

    Raises:
        RenderError: there is nothing to draw, ``what`` or the suffix is unknown, columns differ in
            length, or the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "loss.svg"
    ...     plot_losses({"ring": {"epoch": [1, 2], "task_loss": [0.2, 0.1]}}, path)
    ...     path.read_bytes()[:5]
    b'<?xml'
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in {"png", "svg"}:
        raise RenderError(
            f"Cannot plot into {path}: expected a name ending in .png or .svg, "
            f"got {path.suffix or 'no ending'}. Rename it."
        )
    if what not in ROWS:
        raise RenderError(
            f"Cannot plot {what!r}: expected one of {', '.join(ROWS)}, got {what!r}. Choose one."
        )
    rows = _present(runs, what)
    figure = _draw(runs, rows)
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=DOTS_PER_INCH, metadata=_metadata(kind))
    _replace(path, stream.getvalue())


def _metadata(kind: str) -> dict[str, str | None]:
    # Without a date the same metrics give the same picture.
    return {"Date": None} if kind == "svg" else {"Software": None}


def _replace(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RenderError(
            f"Cannot write the figure {path}: expected a writable file and free space, "
            f"got {error}. Check the folder and the disk."
        ) from error


def _present(runs: Mapping[str, Columns], what: str) -> list[list[_Quantity]]:
    """The rows of panels for which some run has a number."""
    for name, columns in runs.items():
        lengths = {len(column) for column in columns.values()}
        if len(lengths) > 1:
            raise RenderError(
                f"Cannot plot the run {name}: expected columns of one length, "
                f"got {sorted(lengths)}. Read its metrics again."
            )
    rows = [
        [
            quantity
            for quantity in row
            if any(_is_shown(quantity, columns) for columns in runs.values())
        ]
        for row in ROWS[what]
    ]
    if sum(map(len, rows)) <= MOST_COLUMNS:
        rows = [[quantity for row in rows for quantity in row]]
    rows = [row for row in rows if row]
    if not rows:
        raise RenderError(
            f"Cannot plot {what}: expected a run with at least one epoch of them, "
            f"got {len(runs)} runs without. Choose other runs."
        )
    return rows


def _is_shown(quantity: _Quantity, columns: Columns) -> bool:
    values = _values(quantity, columns)
    # lambda*K is zero where there is no K; a loss that reached zero is worth seeing.
    return bool(np.isfinite(values).any() and (len(quantity.columns) == 1 or np.nansum(values)))


def _values(quantity: _Quantity, columns: Columns) -> Floats:
    product = np.ones(1)
    for name in quantity.columns:
        if name not in columns:
            return np.empty(0)
        product = product * as_floats(columns[name])
    return product


def _draw(runs: Mapping[str, Columns], rows: Sequence[Sequence[_Quantity]]) -> Figure:
    num_columns = max(map(len, rows))
    # The rows above and below a legend line, which itself takes room at the top.
    legend_lines = -(-len(runs) // MOST_COLUMNS)
    width = max(2, num_columns) * PANEL_WIDTH_INCHES
    height = len(rows) * PANEL_HEIGHT_INCHES + 0.25 * legend_lines + 0.3
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(rows), num_columns)
    for row_number, row in enumerate(rows):
        for column_number, quantity in enumerate(row):
            axes = figure.add_subplot(grid[row_number, column_number])
            _draw_panel(axes, quantity, runs)
            is_lowest = row_number == len(rows) - 1 or column_number >= len(rows[row_number + 1])
            if is_lowest:
                axes.set_xlabel("epoch", color=_hex(MUTED), fontsize=8.5)
    _draw_legend(figure, list(runs))
    return figure


def _draw_panel(axes: Axes, quantity: _Quantity, runs: Mapping[str, Columns]) -> None:
    _dress(axes, quantity)
    seen = []
    for number, columns in enumerate(runs.values()):
        values = _values(quantity, columns)
        if np.isfinite(values).any():
            epochs = as_floats(columns.get("epoch", range(1, len(values) + 1)))
            _draw_series(axes, quantity, number, epochs, values)
            seen.append(values[np.isfinite(values)])
    together = np.concatenate(seen)
    least, most = together.min(), together.max()
    if quantity.is_logarithmic and least > 0 and most > LOGARITHMIC_FROM_RATIO * least:
        axes.set_yscale("log")
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))
        axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    if len(seen) == 1:
        # One run needs no comparison, but its last figure is what one looks for.
        last = axes.set_title(_figure(together[-1]), loc="right", fontsize=9)
        last.set_color(_hex(_colour(0)))


def _draw_series(
    axes: Axes, quantity: _Quantity, number: int, epochs: Floats, values: Floats
) -> None:
    if not quantity.has_gaps:
        # Measured now and then on purpose: the line goes from one measurement to the next.
        is_there = np.isfinite(values)
        epochs, values = epochs[is_there], values[is_there]
    colour, dash = _hex(_colour(number)), DASHES[number // len(SERIES_COLOURS) % len(DASHES)]
    reduced = envelope(epochs, values)
    if reduced.low is not reduced.high:
        axes.fill_between(
            reduced.epochs, reduced.low, reduced.high, color=colour, alpha=0.22, linewidth=0
        )
    axes.plot(reduced.epochs, reduced.middle, color=colour, linestyle=dash, linewidth=1.3)
    alone = lone(reduced.middle)
    axes.plot(reduced.epochs[alone], reduced.middle[alone], ".", color=colour, markersize=4)


def _dress(axes: Axes, quantity: _Quantity) -> None:
    title = f"{quantity.title} ({quantity.unit})" if quantity.unit else quantity.title
    axes.set_title(title, loc="left", fontsize=9.5, color=_hex(INK))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_hex(RULE))
    axes.tick_params(which="both", labelsize=8, labelcolor=_hex(MUTED), color=_hex(RULE))
    axes.grid(visible=True, axis="y", color=_hex(RULE), alpha=0.35, linewidth=0.6)
    axes.margins(x=0.02)


def _draw_legend(figure: Figure, names: Sequence[str]) -> None:
    handles = [
        Line2D(
            [], [], color=_hex(_colour(number)), linewidth=2.2,
            linestyle=DASHES[number // len(SERIES_COLOURS) % len(DASHES)],
        )
        for number in range(len(names))
    ]  # fmt: skip
    legend = figure.legend(
        handles,
        [_shortened(name) for name in names],
        loc="outside upper left",
        ncols=min(len(names), MOST_COLUMNS),
        frameon=False,
        fontsize=9,
        labelcolor=_hex(INK),
    )
    for text in legend.get_texts():
        # A run's name may hold a dollar sign, which would start a formula.
        text.set_parse_math(False)


def _shortened(name: str) -> str:
    # What tells runs apart is mostly at the end of their names.
    return name if len(name) <= LONGEST_NAME else "…" + name[1 - LONGEST_NAME :]


def _figure(value: float) -> str:
    """Four digits, or all of a large number's, in groups of three."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _tick(value: float, _position: int | None) -> str:
    return f"{value:,.6g}"


def _colour(number: int) -> Colour:
    return SERIES_COLOURS[number % len(SERIES_COLOURS)]


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
