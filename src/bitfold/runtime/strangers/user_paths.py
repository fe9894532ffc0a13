"""Paths that a user or a setting names."""

from __future__ import annotations

import os
from pathlib import Path

from bitfold.errors import ConfigError


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """Return a path that does not depend on the current folder; ``~`` is the user's home.

    Raises:
        ConfigError: the home is that of a user whom nobody knows, or links lead in a circle.
    """
    try:
        return Path(path).expanduser().resolve()
    except (RuntimeError, OSError, ValueError) as error:
        raise ConfigError(
            f"Cannot use the path {str(path)[:200]!r}: expected one that can be looked up, got "
            f"another ({error}). Write it in full."
        ) from None
