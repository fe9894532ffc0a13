"""Files in the current folder from which libraries would take settings.

Numba reads ``.numba_config.yaml`` there when it is imported and before each compilation; the file
can name a folder of machine code to be loaded. Matplotlib reads ``matplotlibrc`` there when it is
imported; the file can have figures typeset by LaTeX, with commands of its own. Whoever stands in a
stranger's folder to look at a run wants neither.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

_NUMBA, _MATPLOTLIB = ".numba_config.yaml", "matplotlibrc"
_HERE = Path(__file__).resolve().parent  # holds neither


def ignore_folder_settings() -> None:
    """Let no library take settings from the current folder; for processes that are bitfold's own.

    Does nothing, and imports nothing, in a folder without such files. Settings in the user's own
    folders and in environment variables count as ever. A library that is imported already has read
    the file; then only later readings are prevented.
    """
    if os.path.lexists(_MATPLOTLIB):
        _imported_elsewhere("matplotlib")
    if os.path.lexists(_NUMBA):
        config = _imported_elsewhere("numba.core.config")
        config._config_fname = str(_HERE / _NUMBA)  # type: ignore[attr-defined] # untyped


def _imported_elsewhere(module: str) -> ModuleType:
    """Import a module while another folder is the current one."""
    if module in sys.modules:
        return sys.modules[module]
    before = Path.cwd()
    os.chdir(_HERE)
    try:
        return importlib.import_module(module)
    finally:
        os.chdir(before)
