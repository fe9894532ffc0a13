"""Plots of metrics over epochs: one panel for each quantity, all runs in each panel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from bitfold.errors import RenderError
from bitfold.polytopes.drawing.palette import layer_colours
from bitfold.render.colours import INK, MUTED, RULE, SERIES_COLOURS, Colour
from bitfold.render.plots.quantities import (
    MOST_COLUMNS,
    Columns,
    Quantity,
    are_geometric,
    present,
)
from bitfold.render.plots.series import Floats, as_floats, envelope, lone
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.display.figure_style import own_style
from bitfold.runtime.display.figure_text import figure_bytes, name_legend

PANEL_WIDTH_INCHES: Final = 3.3
PANEL_HEIGHT_INCHES: Final = 2.4
ROW_GAP_INCHES: Final = 0.09
DOTS_PER_INCH: Final = 160
# Positive series that span a larger ratio are drawn on a logarithmic scale.
LOGARITHMIC_FROM_RATIO: Final = 5.0
# From this ratio on, a logarithmic scale has marks only at powers of ten.
DECADES_FROM_RATIO: Final = 60.0
# With more runs than colours, runs differ in dashes too.
DASHES: Final = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
ROUND_STEPS: Final = (1, 2, 5, 10)
LONGEST_NAME: Final = 36


def plot_losses(runs: Mapping[str, Columns], path: Path | str, *, what: str = "losses") -> None:
    """Draw metrics of one or more runs over epochs.

    Each quantity has a panel, unless no run has numbers of it. lambda*K is left out if it is always
    zero. Series of more than 480 epochs are divided into bins: a line shows the median of each bin,
    and a band its minimum and maximum. pyplot's global state is not used.

    Args:
        runs: columns of each run by its name, as in ``metrics.jsonl``; None is a gap.
        path: path of the figure, ending in ``.png`` or ``.svg``; an existing file is replaced when
            the new one is complete.
        what: the quantities. ``losses``: losses, then K, bits and quality in a second row.
            ``summary``: the same without lambda*K. ``gradients``: norms of gradients. ``folds``:
            losses, then measures of folds, for a single run also layer by layer; epochs have a
            logarithmic scale if folds were measured in geometric steps.

    Raises:
        RenderError: no run has a number to draw, ``what`` or the suffix is unknown, columns differ
            in length, or the file cannot be written.

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
    figure = draw_losses(runs, what=what)
    with own_style():
        content = figure_bytes(figure, format=kind, dpi=DOTS_PER_INCH, metadata=_metadata(kind))
    _replace(path, content)


def draw_losses(runs: Mapping[str, Columns], *, what: str = "losses") -> Figure:
    """Draw the figure that `plot_losses` writes, and return it.

    Args:
        runs: as for `plot_losses`.
        what: as for `plot_losses`.

    Raises:
        RenderError: no run has a number to draw, ``what`` is unknown, or columns differ in length.
    """
    rows = present(runs, what)
    with own_style():
        return _draw(runs, rows, _scale(runs) if what == "folds" else None)


def _metadata(kind: str) -> dict[str, str | None]:
    # Without a date, equal metrics give equal files.
    return {"Date": None} if kind == "svg" else {"Software": None}


def _replace(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RenderError(
            f"Cannot write the figure {path}: expected a writable file and free space, "
            f"got {error}. Check the folder and the disk."
        ) from error


class _Scale(NamedTuple):
    """The scale of epochs that all panels share: first and last epoch, linear or logarithmic."""

    first: float
    last: float
    by_ratio: bool

    def set(self, axes: Axes) -> None:
        """Set the scale of a panel, with a little room at both ends."""
        first, last, room = self.first, self.last, 0.02 * (self.last - self.first)
        if self.by_ratio:
            axes.set_xscale("log")
            axes.set_xlim(first / 1.1, last * 1.1)
        elif room > 0:
            axes.set_xlim(first - room, last + room)


def _scale(runs: Mapping[str, Columns]) -> _Scale | None:
    columns = [as_floats(columns["epoch"]) for columns in runs.values() if "epoch" in columns]
    if len(columns) < len(runs):
        return None
    epochs = np.concatenate(columns)
    return _Scale(float(epochs.min()), float(epochs.max()), are_geometric(runs))


def _draw(
    runs: Mapping[str, Columns], rows: Sequence[Sequence[Quantity]], scale: _Scale | None
) -> Figure:
    num_columns = max(map(len, rows))
    # Lines of the legend above the panels.
    legend_lines = -(-len(runs) // MOST_COLUMNS)
    width = max(2, num_columns) * PANEL_WIDTH_INCHES
    height = len(rows) * PANEL_HEIGHT_INCHES + 0.25 * legend_lines + 0.3
    layout = ConstrainedLayoutEngine(h_pad=ROW_GAP_INCHES)
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(rows), num_columns)
    for row_number, row in enumerate(rows):
        for column_number, quantity in enumerate(row):
            axes = figure.add_subplot(grid[row_number, column_number])
            _draw_panel(axes, quantity, runs, scale)
            is_lowest = row_number == len(rows) - 1 or column_number >= len(rows[row_number + 1])
            if is_lowest:
                axes.set_xlabel("epoch", color=_hex(MUTED), fontsize=8.5)
    _draw_legend(figure, list(runs))
    return figure


def _draw_panel(
    axes: Axes, quantity: Quantity, runs: Mapping[str, Columns], scale: _Scale | None
) -> None:
    """Draw one quantity of all runs; ``scale`` is that of all panels, or None."""
    _dress(axes, quantity)
    lines = _lines(axes, quantity, runs)
    for line in lines:
        _draw_line(axes, line, by_ratio=scale is not None and scale.by_ratio)
    together = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    least, most = together.min(), together.max()
    is_logarithmic = quantity.is_logarithmic and least > 0
    if is_logarithmic and most > LOGARITHMIC_FROM_RATIO * least:
        _scale_by_ratio(axes, most / least)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))
        axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    if scale is not None:
        scale.set(axes)
    if scale is None or not scale.by_ratio:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    if len(lines) == 1:
        # Of a single run, readers look for the last number.
        last = axes.set_title(_figure(together[-1]), loc="right", y=1.0, fontsize=9)
        last.set_color(_hex(_colour(0)))


def _scale_by_ratio(axes: Axes, ratio: float) -> None:
    axes.set_yscale("log")
    if ratio < DECADES_FROM_RATIO:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    axes.yaxis.set_minor_formatter(NullFormatter())


@dataclass(frozen=True, eq=False)
class _Line:
    epochs: Floats
    values: Floats
    colour: str
    dash: Any


def _lines(axes: Axes, quantity: Quantity, runs: Mapping[str, Columns]) -> list[_Line]:
    """Return the lines of a panel: one for each run, or for each layer of a single run."""
    lines = []
    for number, columns in enumerate(runs.values()):
        if quantity.is_by_layer:
            layers = quantity.layers(columns)
            colours = layer_colours(len(layers), "paper")
            _draw_key(axes, colours)
            lines += [
                _line(quantity, columns, layer, to_hex(colour))
                for layer, colour in zip(layers, colours, strict=True)
            ]
            continue
        values = quantity.values(columns)
        if np.isfinite(values).any():
            dash = DASHES[number // len(SERIES_COLOURS) % len(DASHES)]
            lines.append(_line(quantity, columns, values, _hex(_colour(number)), dash))
    return lines


def _line(
    quantity: Quantity, columns: Columns, values: Floats, colour: str, dash: Any = "-"
) -> _Line:
    epochs = as_floats(columns.get("epoch", range(1, len(values) + 1)))
    is_there = quantity.looked_at(columns, values)
    return _Line(epochs[is_there], values[is_there], colour, dash)


def _draw_line(axes: Axes, line: _Line, *, by_ratio: bool) -> None:
    reduced = envelope(line.epochs, line.values, by_ratio=by_ratio)
    if reduced.low is not reduced.high:
        axes.fill_between(
            reduced.epochs, reduced.low, reduced.high, color=line.colour, alpha=0.22, linewidth=0
        )
    axes.plot(reduced.epochs, reduced.middle, color=line.colour, linestyle=line.dash, linewidth=1.3)
    alone = lone(reduced.middle)
    axes.plot(reduced.epochs[alone], reduced.middle[alone], ".", color=line.colour, markersize=4)


def _draw_key(axes: Axes, colours: np.ndarray) -> None:
    """Draw the colours of layers above the panel, from the first to the last."""
    place = axes.inset_axes((0.72, 1.05, 0.2, 0.05))
    place.imshow(colours[None], aspect="auto")
    place.set_axis_off()
    for side, number in ((-0.05, 1), (1.05, len(colours))):
        place.text(
            side, 0.5, str(number), transform=place.transAxes, fontsize=8, color=_hex(MUTED),
            ha="right" if side < 0 else "left", va="center",
        )  # fmt: skip


def _dress(axes: Axes, quantity: Quantity) -> None:
    title = f"{quantity.title} ({quantity.unit})" if quantity.unit else quantity.title
    axes.set_title(title, loc="left", y=1.0, fontsize=9.5, color=_hex(INK))
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
        [""] * len(names),
        loc="outside upper left",
        ncols=min(len(names), MOST_COLUMNS),
        frameon=False,
        fontsize=9,
        labelcolor=_hex(INK),
    )
    name_legend(legend, map(_shortened, names))


def _shortened(name: str) -> str:
    # Names of runs mostly differ at their ends.
    return name if len(name) <= LONGEST_NAME else "…" + name[1 - LONGEST_NAME :]


def _figure(value: float) -> str:
    """Format a number with four digits; from 1000 on, with all digits in groups of three."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _tick(value: float, _position: int | None) -> str:
    return f"{value:,.6g}"


def _colour(number: int) -> Colour:
    return SERIES_COLOURS[number % len(SERIES_COLOURS)]


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
