"""Results as notebooks show them: small tables in HTML, for light and dark themes alike.

Colours are those of the notebook: text inherits its colour, and rules are drawn in it, half
transparent. All text is escaped: names in it may be a stranger's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from unicodedata import category

from bitfold.errors import printable

_RULE = "1px solid color-mix(in srgb, currentColor 30%, transparent)"
_CELL = "padding:2px 10px 2px 0;vertical-align:top;background:none;color:inherit"
_SHOWN = "\n\t"
_TABLE = "border-collapse:collapse;color:inherit;background:none;font-size:90%"


def visible(text: str) -> str:
    r"""Return a text of any number of lines in which all that a page would not show is escaped.

    >>> visible("net\x1b[2J\u202e.png")
    'net\\x1b[2J\\u202e.png'
    """
    if text.isprintable():
        return text
    return "".join(c if c in _SHOWN or category(c)[0] != "C" else printable(c) for c in text)


def html_text(text: str) -> str:
    r"""Return a text as HTML shows it.

    >>> html_text("<b>\x07")
    '&lt;b&gt;\\x07'
    """
    return escape(visible(text))


def html_table(
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    num_left: int = 1,
    note: str = "",
    emphasised: Iterable[int] = (),
) -> str:
    """Return a table as HTML.

    Args:
        title: what the table is; stands above it.
        header: the names of the columns; empty for a table without them.
        rows: a text for each column.
        num_left: the number of columns, from the first, that are set to the left; the others hold
            numbers.
        note: several lines for below the table; may be empty.
        emphasised: the numbers of the rows that are bold.

    >>> html_table("sizes", ["item", "bits"], [["<weights>", "30"]]).count("&lt;weights&gt;")
    1
    """
    bold = set(emphasised)
    lines = [_row("th", header, num_left, below=True)] if header else []
    lines += [_row("td", row, num_left, is_bold=number in bold) for number, row in enumerate(rows)]
    below = f'<pre style="{_CELL};white-space:pre-wrap">{html_text(note)}</pre>' if note else ""
    return (
        f'<div style="color:inherit"><div><b>{html_text(title)}</b></div>'
        f'<table style="{_TABLE}">{"".join(lines)}</table>{below}</div>'
    )


def html_facts(title: str, facts: Mapping[str, object]) -> str:
    """Return names and values as a table of two columns; values that are None are left out.

    >>> "<td" in html_facts("a run", {"epochs": 3, "PSNR": None})
    True
    """
    rows = [(name, str(value)) for name, value in facts.items() if value is not None]
    return html_table(title, (), rows, num_left=2)


def _row(
    tag: str, cells: Sequence[str], num_left: int, *, below: bool = False, is_bold: bool = False
) -> str:
    weight = ";font-weight:bold" if is_bold or tag == "th" else ""
    rule = f";border-bottom:{_RULE}" if below else ""
    shown = (
        f'<{tag} style="{_CELL};text-align:{"left" if column < num_left else "right"}'
        f'{weight}{rule}">{html_text(cell)}</{tag}>'
        for column, cell in enumerate(cells)
    )
    return f'<tr style="background:none">{"".join(shown)}</tr>'
