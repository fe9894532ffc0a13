"""A run that tests of several commands look at."""

import shutil
from pathlib import Path

import pytest

from bitfold.cli.main import main
from tests.cli.command_runs import SMALL


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train once through the command line, and draw."""
    path = tmp_path_factory.mktemp("train") / "run"
    arguments = ["train", "ring", "--size", "32", "--kolmogorov-weight", "0.01", *SMALL]
    log = path.parent / "log.txt"
    assert main([*arguments, "-o", str(path), "--frame-size", "64", "--log-file", str(log)]) == 0
    return path


@pytest.fixture(scope="module")
def trained(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of that run and its log for each test file, which may change it."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(trained_once.parent, folder, dirs_exist_ok=True)
    return folder / trained_once.name
