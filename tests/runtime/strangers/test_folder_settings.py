"""Libraries read no settings from the folder in which bitfold runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import bitfold

_ASK = """
import sys
from bitfold.cli.main import main
code = main(["completion", "bash"])
loaded = {name for name in ("numba", "matplotlib") if name in sys.modules}
import matplotlib, numba
numba.core.config.reload_config()
found = matplotlib.rcParams["text.usetex"], int(numba.config.OPT), numba.config.CACHE_DIR
print(code, sorted(loaded), *found)
"""


@pytest.mark.parametrize("has_files", [True, False])
def test_settings_in_the_current_folder_do_not_count(has_files: bool, tmp_path: Path) -> None:
    """Settings in the current folder have no effect, at once or later, and load no library."""
    if has_files:
        (tmp_path / "matplotlibrc").write_text("text.usetex: True\nno_such_setting: 3\n")
        text = f"opt: 0\ncache_dir: {tmp_path / 'cache'}\n"
        (tmp_path / ".numba_config.yaml").write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    source = str(Path(bitfold.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-P", "-c", _ASK],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": source, "HOME": str(tmp_path), "NUMBA_OPT": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = "['matplotlib', 'numba']" if has_files else "[]"
    assert done.stdout.splitlines()[-1] == f"0 {loaded} False 2 "
    assert done.stderr == ""
    assert not (tmp_path / "cache").exists()
