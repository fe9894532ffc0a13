"""A run that tests of several commands look at."""

from pathlib import Path

import pytest

from bitfold.cli.main import main
from tests.cli.command_runs import SMALL


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train once through the command line."""
    path = tmp_path_factory.mktemp("train") / "run"
    arguments = ["train", "ring", "--size", "32", "--kolmogorov-weight", "0.01", *SMALL]
    log = path.parent / "log.txt"
    assert main([*arguments, "-o", str(path), "--frame-size", "64", "--log-file", str(log)]) == 0
    return path
