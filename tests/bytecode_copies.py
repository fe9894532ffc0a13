"""Copies of packages of which bytecode alone is installed."""

from __future__ import annotations

import compileall
import shutil
from pathlib import Path


def copy_as_bytecode(package: Path, place: Path) -> None:
    """Copy a package without its sources, as ``python -m compileall -b`` leaves it.

    The bytecode names files of a folder that is gone, as it does when it was made elsewhere.

    Args:
        package: the folder of the package.
        place: that of the copy, which is made.
    """
    elsewhere = place.parent / "elsewhere"
    shutil.copytree(package, elsewhere, ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(elsewhere, quiet=1, legacy=True)
    for source in elsewhere.rglob("*.py"):
        source.unlink()
    elsewhere.rename(place)
