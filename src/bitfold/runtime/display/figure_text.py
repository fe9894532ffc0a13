"""Texts of figures that may be a stranger's: names of runs and pictures, lambdas of a record."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from typing import Any

from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from bitfold.errors import printable


def set_plain(texts: Iterable[Text]) -> None:
    """Show texts as they stand: dollars start no formula, control characters are escaped.

    >>> title = Figure().suptitle("costs 5$ or $x\\x07")
    >>> set_plain([title])
    >>> print(title.get_text(), title.get_parse_math())
    costs 5$ or $x\\x07 False
    """
    for text in texts:
        text.set_parse_math(False)
        text.set_text(printable(text.get_text()))


def name_legend(legend: Legend, names: Iterable[str]) -> None:
    """Show names in a legend as they stand.

    Matplotlib leaves out entries whose labels begin with an underscore. So the legend is made with
    other labels, and gets its names here.

    Args:
        legend: it has an entry for each name.
        names: in the order of the entries.

    >>> from matplotlib.lines import Line2D
    >>> legend = Figure().legend([*map(Line2D, [[0], [1]], [[0], [1]])], ["", ""])
    >>> name_legend(legend, ["_first", "second"])
    >>> [text.get_text() for text in legend.get_texts()]
    ['_first', 'second']
    """
    texts = legend.get_texts()
    for text, name in zip(texts, names, strict=True):
        text.set_text(name)
    set_plain(texts)


def figure_bytes(figure: Figure, **options: Any) -> bytes:
    """Return a figure as the bytes of a file.

    Args:
        figure: it may have names in any script. A glyph that the font lacks is drawn as a box,
            about which matplotlib would warn.
        options: as for ``Figure.savefig``.
    """
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(stream, **options)
    return stream.getvalue()
