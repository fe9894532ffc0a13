"""A current folder that was deleted ends in one line of bitfold's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitfold.runtime.strangers.current_folder import leave_lost_folder, standing_somewhere
from bitfold.runtime.strangers.isolated_start import isolated_command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows deletes no folder in use")
_LOSE = "import os; os.mkdir('lost'); os.chdir('lost'); os.rmdir('../lost'); "


@pytest.fixture(autouse=True)
def folder() -> None:
    """Loops are kept where all tests keep them: nothing is compiled here."""


@pytest.fixture
def lost_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the current folder, which was deleted."""
    lost = tmp_path / "lost"
    lost.mkdir()
    monkeypatch.chdir(lost)
    lost.rmdir()
    return lost


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder that it deletes first."""
    command = [sys.executable, "-c", _LOSE + code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_program_refuses_to_begin_there(tmp_path: Path) -> None:
    """PyTorch would end it with a line about one of its own files."""
    done = run("from bitfold.cli.main import main; raise SystemExit(main(['demo']))", tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("bitfold: Cannot begin here: expected a current folder that exists")


def test_the_version_needs_no_folder(tmp_path: Path) -> None:
    """Nor do help and a misspelt command."""
    done = run("from bitfold.cli.main import main; main(['--version'])", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("bitfold ")


def test_the_library_can_be_imported_there(tmp_path: Path) -> None:
    """Calls that need no path work; the process stands in the same folder as before."""
    code = "import bitfold; print(bitfold.PolytopeNet(2, [3], 1).num_parameters, len(os.listdir()))"
    done = run(code, tmp_path)
    assert (done.stdout, done.stderr) == ("13 0\n", "")


def test_processes_that_bitfold_starts_leave_it(lost_folder: Path) -> None:
    """They are given whole paths, and so need no current folder; PyTorch can be imported."""
    done = subprocess.run(
        isolated_command("bitfold.runtime.tensor_kinds"),
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_that_exists_stays_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left, not even within the block."""
    monkeypatch.chdir(tmp_path)
    leave_lost_folder()
    with standing_somewhere():
        assert Path.cwd() == tmp_path
    assert Path.cwd() == tmp_path


def test_a_lost_folder_is_the_current_one_again(lost_folder: Path) -> None:
    """A block that stands elsewhere ends there, also if it ends in an error."""
    inode = Path().stat().st_ino
    with pytest.raises(KeyError), standing_somewhere():
        assert Path.cwd().exists()
        raise KeyError
    assert Path().stat().st_ino == inode
