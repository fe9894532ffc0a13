"""``MPLBACKEND``, which a notebook sets for every program that a cell starts."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bitfold
from bitfold.runtime.display.figure_backend import drop_missing_backend

ROOT = Path(bitfold.__file__).parent
INLINE = "module://matplotlib_inline.backend_inline"
DRAW = "import bitfold.targets as t, bitfold.render as r; t.Target; r.plot_losses"


def result_of(code: str, backend: str) -> subprocess.CompletedProcess[str]:
    """Run Python code while the variable names a backend."""
    environ = {**os.environ, "MPLBACKEND": backend}
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )


def test_python_draws_though_a_notebook_names_a_backend_that_is_not_installed() -> None:
    """Python draws although ``MPLBACKEND`` names a backend that is not installed."""
    done = result_of(f"{DRAW}; import matplotlib.pyplot", INLINE)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("backend", [INLINE, pytest.param("nonsense", marks=pytest.mark.slow)])
def test_the_program_ignores_the_variable(backend: str, tmp_path: Path) -> None:
    """A command that draws with matplotlib ignores the variable and refuses a missing run."""
    code = (
        "import sys; from bitfold.cli.main import run_command, main\n"
        f"run_command(lambda: exec('{DRAW}'), debug=False)\n"
        f"sys.exit(main(['plot', {str(tmp_path)!r}]))"
    )
    done = result_of(code, backend)
    assert done.returncode == 2
    assert done.stderr.startswith("bitfold: Cannot open run")


def test_an_installed_backend_stays() -> None:
    """An installed backend stays the caller's; names without a module stay matplotlib's."""
    for backend in ("module://json.decoder", "svg", "nonsense"):
        environ = {"MPLBACKEND": backend}
        drop_missing_backend(environ)
        assert environ == {"MPLBACKEND": backend}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=str)
def test_no_file_imports_pyplot(path: Path) -> None:
    """No file imports pyplot, which would open the window system of the variable."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        assert "matplotlib.pyplot" not in names
