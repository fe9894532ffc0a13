"""Builds wheel and sdist, checks both, and runs each one's demo and studio in a fresh environment.

``make dist`` runs this; the distributions are left in ``dist/``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import venv
import zipfile
from pathlib import Path

from build_page import ASSETS

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
# Each file of the page has more than this.
_LEAST_BYTES = 1000


def main() -> int:
    """Build, check and try; a step that fails ends the program with its own message."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST, ROOT)
    distributions = sorted(DIST.iterdir())
    run(sys.executable, "-m", "twine", "check", "--strict", *distributions)
    wheels = [path for path in distributions if path.suffix == ".whl"]
    run(sys.executable, "-m", "check_wheel_contents", *wheels)
    for path in distributions:
        check_page(path)
    for path in distributions:
        try_in_fresh_environment(path)
    print(f"Built and tried {', '.join(path.name for path in distributions)}.")
    return 0


def check_page(distribution: Path) -> None:
    """End with a message if a file of the studio's page is not in a distribution, or is empty.

    Args:
        distribution: a wheel or sdist.
    """
    if distribution.suffix == ".whl":
        with zipfile.ZipFile(distribution) as wheel:
            sizes = {info.filename: info.file_size for info in wheel.infolist()}
    else:
        with tarfile.open(distribution) as sdist:
            sizes = {info.name: info.size for info in sdist.getmembers()}
    for asset in ASSETS:
        place = f"bitfold/studio/page/{asset}"
        if not any(size for name, size in sizes.items() if name.endswith(place)):
            raise SystemExit(
                f"Cannot release {distribution.name}: expected {place}, got none. Run "
                "`python tools/build_page.py` to see why the page was not built."
            )


def try_in_fresh_environment(distribution: Path) -> None:
    """Install a distribution and its extra ``studio`` where nothing else is; run demo and studio.

    Args:
        distribution: a wheel or sdist.
    """
    with tempfile.TemporaryDirectory(prefix="bitfold-dist-") as folder:
        place = Path(folder)
        venv.create(place / "venv", with_pip=True)
        programs = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
        python = programs / ("python.exe" if os.name == "nt" else "python")
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        run(*pip, "--constraint", ROOT / "constraints.txt", f"{distribution}[studio]", folder=place)
        run(python, "-m", "bitfold", "--version", folder=place)
        run(python, "-m", "bitfold", "demo", folder=place)
        open_studio(python, place)


def open_studio(python: Path, folder: Path) -> None:
    """Start the studio of an environment, and end with a message if it does not serve its page.

    Args:
        python: of the environment.
        folder: the current folder of the studio; its runs are made there.
    """
    command = [str(python), "-m", "bitfold", "studio", "--no-browser"]
    print("+", *command, flush=True)
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        base = server.stdout.readline().partition("#")[0]
        try:
            for asset in ("", "studio.js", "studio.css"):
                with urllib.request.urlopen(base + asset, timeout=60) as answer:
                    if len(answer.read()) < _LEAST_BYTES:
                        raise SystemExit(f"Cannot release bitfold: {base}{asset} is empty.")
        finally:
            server.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGINT)
    if os.name != "nt" and server.returncode:
        raise SystemExit(f"Cannot release bitfold: the studio ended with {server.returncode}.")


def run(*command: str | Path, folder: Path = ROOT) -> None:
    """Run a command in a folder, and show it; end with its exit code if that is not 0."""
    print("+", *command, flush=True)
    done = subprocess.run([str(part) for part in command], cwd=folder, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    sys.exit(main())
