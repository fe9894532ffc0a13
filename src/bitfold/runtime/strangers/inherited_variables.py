"""Environment variables that would end a library's import, or fill the terminal with warnings."""

from __future__ import annotations

import os

_NUMBA_THREADS = "NUMBA_NUM_THREADS"


def drop_wrong_variables() -> list[str]:
    """Drop variables that no library can use; return a line for each.

    For processes that are bitfold's own, before Numba is imported. None of bitfold's loops depends
    on the variable: its threads are its own.
    """
    value = os.environ.get(_NUMBA_THREADS)
    if value is None or (value.strip().isdecimal() and int(value) > 0):
        return []
    del os.environ[_NUMBA_THREADS]
    return [f"Ignored {_NUMBA_THREADS}={value!r}: expected a whole number from 1."]
