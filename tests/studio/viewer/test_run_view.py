"""Runs as pages look at them."""

from __future__ import annotations

from pathlib import Path

from bitfold.studio.viewer.worker import Viewer
from bitfold.studio.wire.message import Message
from bitfold.training import Config, Session


def made(path: Path, shape: str) -> None:
    """Make the folder of a run at epoch 0."""
    Session(
        Config(target="ring", size=16, shape=shape, points=64, audit=False, output_dir=str(path))
    ).close()


def test_a_run_in_the_place_of_another_is_shown_as_itself(tmp_path: Path) -> None:
    """A folder that is gone is still the run's; another run in its place is read anew."""
    path, viewer = tmp_path / "ring", Viewer()

    def shape() -> str:
        return str(
            viewer.answer(Message("settings", {"path": str(path)})).facts["settings"]["shape"]
        )

    made(path, "[4]")
    assert shape() == "[4]"
    path.rename(tmp_path / "trash")
    assert shape() == "[4]"
    made(path, "[6]*2")
    assert shape() == "[6]*2"
