"""The one way to the terminal, on which no name of a file or tensor moves the cursor."""

from __future__ import annotations

import os
from typing import Any

import rich.console
from rich.text import Text

from bitfold.errors import printable


def plain(text: object) -> str:
    """Return a text of any number of lines with everything else that is no glyph escaped.

    >>> plain("net\\x1b[2J\\nsecond line")
    'net\\\\x1b[2J\\nsecond line'
    >>> from pathlib import Path
    >>> plain(Path("first\\nsecond line"))  # a path is one line, whatever its name
    'first\\\\nsecond line'
    """
    if isinstance(text, os.PathLike):
        return printable(str(text))
    return "\n".join(printable(line) for line in str(text).split("\n"))


def cell(text: object) -> Text:
    """Return a text for a table or a title: it is `plain`, and holds no markup."""
    return Text(plain(text))


def say(text: object) -> None:
    """Print a text."""
    print(plain(text))


class Console(rich.console.Console):
    """A console that prints texts `plain` and takes none for markup; rich's own goes through.

    >>> Console(width=80).print("[/red]:smile:[link=file:///etc]a")
    [/red]:smile:[link=file:///etc]a
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does."""
        shown = (plain(o) if isinstance(o, str | os.PathLike) else o for o in objects)
        super().print(*shown, **options)
