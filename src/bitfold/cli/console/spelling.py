"""Messages of the package in the words of the command line."""

from __future__ import annotations

import re
from functools import cache

from bitfold.training import Config, flag, settings_of

#: Arguments of Python that are options of a command, and no settings.
_FURTHER_OPTIONS = frozenset({"error", "overwrite", "time"})
_MENTION = re.compile(r"`(\w+)(?:=([^`]*))?`")


def spell_options(message: str) -> str:
    """Return a message with options in place of Python's arguments.

    The package mentions a setting in backticks, as Python's argument: `` `size` `` or
    `` `size=64` ``. Other text in backticks stays as it is.

    >>> spell_options("Cannot use `frame_size`: expected `layout='full'`. Set `audit=False`.")
    'Cannot use --frame-size: expected --layout full. Set --no-audit.'
    """
    return _MENTION.sub(_spell, message)


def _spell(mention: re.Match[str]) -> str:
    name, value = mention[1], mention[2]
    if name not in _known_names():
        return mention[0]
    if value in (None, "True"):
        return flag(name)
    if value == "False":
        return flag(f"no_{name}")
    text = value.strip("'\"")
    # The parser would take a value that begins with a dash for an option.
    return f"{flag(name)}{'=' if text.startswith('-') else ' '}{text}"


@cache
def _known_names() -> frozenset[str]:
    return _FURTHER_OPTIONS.union(name for name, _, _ in settings_of(Config))
