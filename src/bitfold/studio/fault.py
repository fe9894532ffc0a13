"""Exceptions that nobody expected: the log gets the traceback, and a person one line."""

from __future__ import annotations

import logging

from bitfold.errors import printable

_LOGGER = logging.getLogger("bitfold")
# A message may hold a whole array.
_MOST_CHARACTERS = 200


def log_fault(doing: str, error: Exception) -> str:
    """Write an unexpected exception to the log, and return it as the reason for a person.

    Args:
        doing: what failed, such as ``show ring``.
        error: what was raised.

    Returns:
        The end of the line ``Cannot <doing>: <reason>.``
    """
    _LOGGER.error("Cannot %s.", doing, exc_info=error)
    if isinstance(error, MemoryError):
        return "the memory does not suffice"
    name = printable(f"{type(error).__name__}: {error}"[:_MOST_CHARACTERS])
    return f"a fault of bitfold ({name}); please report it with the traceback in the log"


def fault_line(doing: str, error: Exception) -> str:
    """Write an unexpected exception to the log, and return the line for a person.

    Args:
        doing: what failed, such as ``show ring``.
        error: what was raised.
    """
    return f"Cannot {doing}: {log_fault(doing, error)}."
