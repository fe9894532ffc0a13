"""JSON that a stranger may have written."""

from __future__ import annotations

import json
from typing import Any, NoReturn

# A float64 squared must still be finite, and no measurement comes near.
LARGEST_NUMBER = 1e100
_SHOWN_CHARACTERS = 60


def parse_json(data: bytes | str, *, has_constants: bool = False) -> Any:
    """Parse JSON; whatever is wrong with it is one kind of error.

    Raises:
        ValueError: it is not JSON, or is nested too deeply. NaN and Infinity are no JSON, unless
            ``has_constants``.

    >>> parse_json(b'{"epoch": 3}')
    {'epoch': 3}
    """
    try:
        return json.loads(data, parse_constant=None if has_constants else _refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def is_number(value: object) -> bool:
    """Whether a value is a number that is safe to compute with.

    >>> is_number(1.5), is_number(True), is_number(10**400), is_number(float("inf"))
    (True, False, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -LARGEST_NUMBER <= value <= LARGEST_NUMBER


def shortened(value: object) -> str:
    """Show a value of any kind and size in a few characters.

    >>> shortened("a" * 1000)[:10], shortened(7), shortened([[1]])
    ("'aaaaaaaaa", '7', 'a list')
    """
    if isinstance(value, bool | float | None):
        return repr(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**_SHOWN_CHARACTERS else "a longer integer"
    if isinstance(value, str):
        is_short = len(value) <= _SHOWN_CHARACTERS
        return repr(value) if is_short else repr(value[:_SHOWN_CHARACTERS]) + "..."
    name = "object" if isinstance(value, dict) else type(value).__name__
    return f"a{'n' if name[0] in 'aeiou' else ''} {name}"


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")
