"""How many members are trained at a time."""

from __future__ import annotations

import os

from bitfold.errors import ConfigError
from bitfold.runtime.strangers.bounded_json import shortened

_MOST_JOBS = 1024


def check_jobs(jobs: int) -> None:
    """Refuse a number of jobs that is none.

    Raises:
        ConfigError: it is no whole number from 1 to 1024.
    """
    is_whole = isinstance(jobs, int) and not isinstance(jobs, bool)
    if not (is_whole and 1 <= jobs <= _MOST_JOBS):
        raise ConfigError(
            f"Cannot train {shortened(jobs)} members at a time: expected `jobs` from 1 to "
            f"{_MOST_JOBS}."
        )


def num_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
