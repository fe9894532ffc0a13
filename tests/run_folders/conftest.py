"""A run in a folder that a stranger may change, and the files around it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bitfold import recording
from bitfold.training import train
from tests.run_folders.fuzzing.attempts import DrawnHere, tiny_config
from tests.run_folders.stranger_runs import Call, Place, Said, exit_code

_SETTINGS = {
    "kolmogorov_weight": 0.01, "kolmogorov_bins": 8, "kolmogorov_shape": "[3]", "audit": False,
    "measure_folds": 0,
}  # fmt: skip


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run with K, 4 epochs and 3 frames, which tests copy."""
    return train(tiny_config(tmp_path_factory.mktemp("strangers") / "run", _SETTINGS)).path


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a copy of the run, with the user in a neighbouring folder."""
    others = (tmp_path / name for name in ("outside", "here", "home"))
    place = Place(tmp_path / "runs" / "run", *others)
    shutil.copytree(trained, place.run)
    (place.outside / "taken").mkdir(parents=True)
    (place.outside / "victim").write_bytes(b"precious\n")
    place.here.mkdir()
    place.home.mkdir()
    monkeypatch.chdir(place.here)
    monkeypatch.setenv("HOME", str(place.home))
    monkeypatch.setattr(recording, "Recorder", DrawnHere)
    return place


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call ``bitfold``, and return its exit code and output."""

    def called(*arguments: object) -> Said:
        capsys.readouterr()
        code = exit_code([str(word) for word in arguments])
        return Said(code, *capsys.readouterr())

    return called
