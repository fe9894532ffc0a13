"""Child processes of bitfold import no module from the current folder."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bitfold
from bitfold.runtime.strangers.isolated_start import import_folders, isolated_command
from bitfold.training import train
from tests.bytecode_copies import copy_as_bytecode
from tests.training.training_runs import tiny

#: Modules of Python, of packages that bitfold needs, and of bitfold.
NAMES = (
    "queue", "json", "runpy", "threading", "subprocess", "logging", "tempfile", "random", "struct",
    "copy", "torch", "numpy", "numba", "scipy", "safetensors", "PIL", "av", "rich", "filelock",
    "bitfold",
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder() -> None:
    """Use the compiled loops of all tests, since no test here depends on compilation."""


@pytest.fixture
def strangers_folder(tmp_path: Path) -> Path:
    """Return a folder with a module of each name that fails, and leaves a mark, when imported."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    for name in NAMES:
        code = f"open({str(tmp_path / 'mark')!r}, 'a').write({name!r} + ' ')\nraise SystemExit(9)"
        (folder / f"{name}.py").write_text(code)
    (folder / "sitecustomize.py").write_text(code)
    (folder / "matplotlibrc").write_text("text.usetex: True\nno_such_setting: 3\n")
    (folder / ".numba_config.yaml").write_text(f"cache_dir: {tmp_path / 'mark'}\n")
    return folder


@pytest.mark.parametrize(
    "module", ["bitfold.recording.worker", "bitfold.training.run.loop_compiler"]
)
def test_modules_in_the_current_folder_are_not_imported(
    module: str, strangers_folder: Path, tmp_path: Path
) -> None:
    """None of 20 names is imported, even if PYTHONPATH's empty entry names the current folder."""
    run = train(tiny(tmp_path / "run", epochs=1))
    here = os.pathsep.join(["", str(Path(bitfold.__file__).parents[1])])
    done = subprocess.run(
        isolated_command(module, str(run.path)),
        cwd=strangers_folder,
        env={**os.environ, "PYTHONPATH": here},
        input="finish\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (tmp_path / "mark").exists(), (tmp_path / "mark").read_text()
    assert (done.returncode, done.stderr) == (0, "")
    assert (run.path / "video.mp4").exists() == module.endswith("worker")


def test_a_child_imports_the_same_bitfold_as_its_parent(tmp_path: Path) -> None:
    """A child imports its parent's bitfold, also from PYTHONPATH or the parent's current folder."""
    package = Path(bitfold.__file__).parent
    ask = (
        "import sys, subprocess; import bitfold\n"
        "from bitfold.runtime.strangers.isolated_start import isolated_command\n"
        "assert bitfold.__file__ == sys.argv[1] + '/__init__.py', bitfold.__file__\n"
        "subprocess.run(isolated_command('bitfold.where'), check=True)"
    )
    copied = tmp_path / "copy" / "bitfold"
    for name in ("__init__.py", "__init__.pyi", "errors.py", "runtime"):
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / name).symlink_to(package / name)
    # Links are resolved, so that the copied path must be a real file.
    for path in (package / "runtime").rglob("*.py"):
        place = copied / "real" / path.relative_to(package)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    (copied / "runtime").unlink()
    (copied / "real" / "runtime").rename(copied / "runtime")
    (copied / "where.py").write_text("import bitfold; print(bitfold.__file__)")
    for extra in (
        {"cwd": copied.parent},
        {"env": {**os.environ, "PYTHONPATH": str(copied.parent)}},
    ):
        environment = {"env": {**os.environ, "PYTHONPATH": ""}, **extra}
        done = subprocess.run(
            [sys.executable, "-c", ask, str(copied)],
            capture_output=True,
            text=True,
            check=False,
            **environment,  # type: ignore[call-overload] # one of two sets of options
        )
        assert done.stdout.strip() == str(copied / "__init__.py"), done.stderr


def test_a_child_of_bytecode_imports_bytecode(tmp_path: Path) -> None:
    """Where no sources are installed, a child starts too, and imports what its parent has."""
    package, sources = Path(bitfold.__file__).parent, tmp_path / "sources"
    shutil.copytree(package / "runtime", sources / "runtime")
    for name in ("__init__.py", "__init__.pyi", "errors.py"):
        shutil.copy(package / name, sources / name)
    (sources / "where.py").write_text("import bitfold; print(bitfold.__file__)")
    copied = tmp_path / "site" / "bitfold"
    copied.parent.mkdir()
    copy_as_bytecode(sources, copied)
    ask = (
        "import subprocess\n"
        "from bitfold.runtime.strangers.isolated_start import isolated_command\n"
        "subprocess.run(isolated_command('bitfold.where'), check=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask],
        env={**os.environ, "PYTHONPATH": str(copied.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{copied / '__init__.pyc'}\n", "")


def test_the_current_folder_is_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child's import path omits the current folder under each of its names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setattr(sys, "path", ["", ".", str(tmp_path), str(tmp_path / "link"), *sys.path])
    handed = import_folders()
    assert not {"", ".", str(tmp_path), str(tmp_path / "link")} & set(handed)
    assert os.path.dirname(os.__file__) in handed  # noqa: PTH120 - as sys.path has it


def test_every_process_is_started_isolated() -> None:
    """All of the package's calls of subprocess use an isolated command."""
    root, num_calls = Path(bitfold.__file__).parent, 0
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert not called.startswith(("os.system", "os.popen", "os.exec", "os.spawn")), path
            if called.startswith("subprocess.") and called != "subprocess.TimeoutExpired":
                num_calls += 1
                assert ast.unparse(node.args[0]).startswith("isolated_command("), path
    assert num_calls >= 2
