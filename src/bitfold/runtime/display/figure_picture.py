"""A figure of matplotlib that a notebook shows and a file can hold, made without pyplot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.display.figure_style import own_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 110


class FigurePicture:
    """A finished figure. A notebook shows it when it is the last value of a cell.

    Args:
        figure: matplotlib's, on a canvas of its own.

    Attributes:
        figure: the same, to be changed.
    """

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    @property
    def axes(self) -> Any:
        """The first axes of the figure."""
        return self.figure.axes[0]

    def save(self, path: str | Path) -> None:
        """Write the figure; the suffix decides the format, such as ``.png``, ``.svg``, ``.pdf``.

        Raises:
            OSError: the file cannot be written.
            ValueError: matplotlib does not know the suffix.
        """
        path = Path(path)
        write_atomically(path, self._bytes(format=path.suffix.removeprefix(".") or "png"))

    def _repr_png_(self) -> bytes:
        return self._bytes(format="png", dpi=_DOTS_PER_INCH)

    def _bytes(self, **options: Any) -> bytes:
        from bitfold.runtime.display.figure_text import figure_bytes  # noqa: PLC0415 - slow import

        with own_style():
            return figure_bytes(self.figure, **options)


def new_figure(width_inches: float, height_inches: float) -> FigurePicture:
    """Return a figure with one pair of axes, on a canvas in memory.

    >>> new_figure(4, 3)._repr_png_()[1:4]
    b'PNG'
    """
    # matplotlib takes a third of a second to import, so it is imported only when needed.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with own_style():
        figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
        FigureCanvasAgg(figure)
        figure.add_subplot()
    return FigurePicture(figure)
