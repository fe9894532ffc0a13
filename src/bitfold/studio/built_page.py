"""Where the build leaves the files of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: The folder of the built files, within the package.
PAGE: Final = Path(__file__).resolve().parent / "page"
