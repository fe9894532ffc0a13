"""The sizes that the page shows are those of the files that it saves."""

from __future__ import annotations

from pathlib import Path

import pytest

import bitfold
from bitfold.experiments.run_rounding import RunRounding
from bitfold.studio.bits_message import bits_of_moment
from bitfold.studio.export.saver import saved
from bitfold.studio.trainer.bits import bits_of, file_of
from bitfold.studio.wire.message import Message
from bitfold.training import Config, EpochEnded, Session, load_run

WITH_K = {"kolmogorov_weight": 0.003, "kolmogorov_quantise": "learned"}


def config(folder: Path, settings: dict[str, object]) -> Config:
    """Return a short training of a small ring."""
    return Config(
        target="ring", size=32, shape="[4]*2", epochs=3, batch_size=256, measure_folds=0,
        audit=False, output_dir=str(folder), **settings,  # type: ignore[arg-type] # by name
    )  # fmt: skip


@pytest.mark.parametrize("settings", [{}, WITH_K], ids=["without K", "with K"])
def test_saved_now_is_the_size_of_the_file_on_disk(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    """The size of the present moment is that of the file of this moment once it lies on a disk."""
    path = tmp_path / "saved.bitfold"
    with Session(config(tmp_path / "run", settings)) as session:
        for _ in range(2):
            next(session)
        shown = bits_of(session).facts["num_bytes"]
        path.write_bytes(file_of(session))
    assert shown == path.stat().st_size
    bitfold.read_model(path)


@pytest.mark.parametrize("settings", [{}, WITH_K], ids=["without K", "with K"])
def test_the_size_of_a_recorded_moment_is_that_of_its_saved_file(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    """The size of a recorded moment is that of the file which the page saves of it."""
    run = bitfold.train(config(tmp_path / "run", settings))
    shown = bits_of_moment(run, 3).facts["num_bytes"]
    facts = {"path": str(run.path), "run": "run", "epoch": 3, "format": "bitfold", "client": 1}
    path = tmp_path / "saved.bitfold"
    path.write_bytes(saved(Message("save", facts), lambda message: None).arrays["data"].tobytes())
    assert shown == path.stat().st_size


def test_an_epoch_has_one_size_that_takes_no_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without K the present and the recorded moment of an epoch have one size, and no search."""
    monkeypatch.setattr(RunRounding, "as_seen", lambda *_: pytest.fail("Pages wait for a search."))
    with Session(config(tmp_path / "run", {})) as session:
        for event in session:
            if isinstance(event, EpochEnded) and event.epoch == 3:
                present = bits_of(session).facts["num_bytes"]
    assert bits_of_moment(load_run(tmp_path / "run"), 3).facts["num_bytes"] == present
