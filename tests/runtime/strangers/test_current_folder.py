"""In a deleted current folder, bitfold ends with one line of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitfold.audit.report import CutSite
from bitfold.runtime.strangers.current_folder import leave_lost_folder, standing_somewhere
from bitfold.runtime.strangers.isolated_start import isolated_command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows deletes no folder in use")
_LOSE = "import os; os.mkdir('lost'); os.chdir('lost'); os.rmdir('../lost'); "


@pytest.fixture(autouse=True)
def folder() -> None:
    """Use the compiled loops of all tests, since no test here compiles any."""


@pytest.fixture
def lost_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the current folder, which was deleted."""
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
    """A program refuses to start in a deleted folder, before PyTorch would fail there."""
    done = run("from bitfold.cli.main import main; raise SystemExit(main(['demo']))", tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("bitfold: Cannot begin here: expected a current folder that exists")


def test_the_version_needs_no_folder(tmp_path: Path) -> None:
    """The version, help and a misspelt command need no folder."""
    done = run("from bitfold.cli.main import main; main(['--version'])", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("bitfold ")


def test_the_library_can_be_imported_there(tmp_path: Path) -> None:
    """The library can be imported there, calls without paths work, and the folder stays current."""
    code = "import bitfold; print(bitfold.PolytopeNet(2, [3], 1).num_parameters, len(os.listdir()))"
    done = run(code, tmp_path)
    assert (done.stdout, done.stderr) == ("13 0\n", "")


def test_loops_are_compiled_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that no cache holds is compiled there, and the folder stays current."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    code = (
        "import bitfold; value = bitfold.KolmogorovLoss(bitfold.PolytopeNet(2, [3], 1))(); "
        "value.backward(); print(value.item() > 0, len(os.listdir()))"
    )
    done = run(code, tmp_path)
    assert (done.stdout, done.stderr) == ("True 0\n", "")
    assert list((tmp_path / "cache").rglob("*.nbc"))


def test_an_audit_names_files_in_full_there(lost_folder: Path, tmp_path: Path) -> None:
    """In a deleted folder, the place of a cut is a whole path, not one from here."""
    cut = CutSite("Tensor.detach", "detaches", str(tmp_path / "loss.py"), 3)
    assert str(cut) == f"{tmp_path / 'loss.py'}:3: Tensor.detach detaches"


def test_processes_that_bitfold_starts_leave_it(lost_folder: Path) -> None:
    """Child processes get whole paths, leave the deleted folder and can import PyTorch."""
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
    """An existing current folder stays current, also within the block."""
    monkeypatch.chdir(tmp_path)
    leave_lost_folder()
    with standing_somewhere():
        assert Path.cwd() == tmp_path
    assert Path.cwd() == tmp_path


def test_a_lost_folder_is_the_current_one_again(lost_folder: Path) -> None:
    """After a block in another folder, even with an error, the lost folder is current again."""
    inode = Path().stat().st_ino
    with pytest.raises(KeyError), standing_somewhere():
        assert Path.cwd().exists()
        raise KeyError
    assert Path().stat().st_ino == inode
