"""Starts a module of bitfold in a process that imports nothing from the current folder.

``python -m`` looks for modules in the current folder first. There a stranger's ``queue.py`` would
be imported in the place of Python's own. This file is run by its path, in Python's isolated mode.
It takes the parent's own folders of modules, and bitfold itself from where the parent has it, as
source or as bytecode.
Libraries take no settings from the current folder either.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import os
import runpy
import site
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

_PACKAGE = "bitfold"
_OBJECTS_BETWEEN_COLLECTIONS = 10_000


def isolated_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of bitfold as ``__main__``.

    The process imports the same bitfold as this one, however that was installed, and everything
    else from where this one would; but nothing from the current folder or from a relative entry of
    PYTHONPATH.

    Args:
        module: dotted name of the module, such as ``bitfold.recording.worker``.
        arguments: of the module.

    Raises:
        ProcessError: this process is no Python that could be started once more.
    """
    check_not_alone()
    found = {"package": str(Path(__file__).resolve().parents[2]), "folders": import_folders()}
    flags = ["-I", *(["-B"] if sys.dont_write_bytecode else [])]
    return [sys.executable, *flags, str(Path(__file__)), json.dumps(found), module, *arguments]


def why_alone() -> str:
    """Return why this process cannot start another one, or an empty text if it can.

    ``sys.executable`` of a program that was frozen, as by PyInstaller, is the program itself: it
    would do all of its work once more.
    """
    if getattr(sys, "frozen", False):
        return f"the frozen program {sys.executable}"
    return "" if sys.executable else "none"


def check_not_alone() -> None:
    """Refuse what needs a second process where none can be started.

    Raises:
        ProcessError: `why_alone` says why.
    """
    reason = why_alone()
    if reason:
        from bitfold.errors import ProcessError  # noqa: PLC0415 - the child has no bitfold yet

        raise ProcessError(
            f"Cannot start a second process: expected Python as sys.executable, got {reason}. "
            "Call bitfold from a Python that is installed."
        )


def own_group() -> dict[str, Any]:
    """Return arguments of `subprocess.Popen` for a process that a terminal's interrupt spares.

    It becomes a group of processes, not a session: Linux may share time among sessions first, and
    then lets niceness count among the processes of one session alone (sched(7), *autogroup*).
    """
    if os.name == "posix":
        return {"process_group": 0}
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined] # Windows only


def give_way(process: int, niceness: int) -> None:
    """Let other processes go first, from a process's imports on; without effect on Windows.

    Args:
        process: its number; this process started it just before.
        niceness: added to that of this process.
    """
    if hasattr(os, "setpriority"):
        own = os.getpriority(os.PRIO_PROCESS, 0)
        with contextlib.suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process, own + niceness)


def import_folders() -> list[str]:
    """Return the folders of modules of this process, without the current folder."""
    folders = [folder for folder in sys.path if Path(folder).is_absolute()]
    return [folder for folder in folders if _is_installed(folder) or not _is_current(folder)]


def _is_installed(folder: str) -> bool:
    """Whether a folder is that of Python's library or of installed packages."""
    installed = {*sysconfig.get_paths().values(), *site.getsitepackages()}
    return folder in {*installed, site.getusersitepackages()}


def _is_current(folder: str) -> bool:
    try:
        return Path(folder).samefile(Path.cwd())
    except OSError:  # one of them is missing
        return False


def _main() -> None:
    # Imports leave hardly any garbage, and to look for it after every 700 objects takes a tenth of
    # their time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    given, module = json.loads(sys.argv[1]), sys.argv[2]
    del sys.argv[1:3]
    sys.path[:] = given["folders"]
    package = Path(given["package"])
    spec = importlib.util.spec_from_file_location(
        _PACKAGE,
        package / f"__init__{Path(__file__).suffix}",
        submodule_search_locations=[str(package)],
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[_PACKAGE])
    from bitfold.runtime.strangers.current_folder import (  # noqa: PLC0415 - could not be found before
        leave_lost_folder,
    )
    from bitfold.runtime.strangers.folder_settings import ignore_folder_settings  # noqa: PLC0415

    leave_lost_folder()
    ignore_folder_settings()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
