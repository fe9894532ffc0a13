"""The version of an installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

UNKNOWN: Final = "unknown"
"""The version of a package without its metadata."""


def installed_version(package: str) -> str:
    """Return the version of a package; ``unknown`` where its metadata is not installed.

    A copied folder and many bundles have a package without its metadata.

    Args:
        package: its name, such as ``bitfold``.

    Example:
        >>> installed_version("no_such_package")
        'unknown'
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return UNKNOWN
