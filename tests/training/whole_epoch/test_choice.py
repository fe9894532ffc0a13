"""A run's choice between compiled epochs and PyTorch's steps, and its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import bitfold
from bitfold.errors import ConfigError
from bitfold.training import Config, Session, read_config
from tests.training.training_runs import TINY, WITH_K, tiny

STEPWISE: dict[str, dict[str, Any]] = {
    "a wide layer": {"shape": "[49]"},
    "noise": {**WITH_K, "kolmogorov_targets": "noise"},
    "a density": {**WITH_K, "kolmogorov_loss_type": "gaussian_nll"},
    "soft scales": {"kolmogorov_weight": 0.1, "kolmogorov_predictor": "row_column"},
    "predictions from weights": {"kolmogorov_weight": 0.1, "kolmogorov_predictor": "adaptive"},
    "predictions from weights in steps": {
        "kolmogorov_quantise": "learned",
        "kolmogorov_predictor": "adaptive",
    },
    "every second step": {**WITH_K, "kolmogorov_every": 2},
}


def way_of(folder: Path) -> str | None:
    """Return the recorded choice."""
    return read_config(folder / "config.toml").epoch_loop


STEPS: dict[str, Any] = {"kolmogorov_quantise": "learned", "kolmogorov_weight": 0.1}


@pytest.mark.parametrize("settings", [{}, WITH_K, STEPS], ids=["no K", "K", "steps"])
def test_a_run_is_compiled_where_it_can_be(tmp_path: Path, settings: dict[str, Any]) -> None:
    """A new run trains in compiled epochs and records that."""
    with Session(tiny(tmp_path / "run", **settings)) as session:
        assert session.run.config.epoch_loop == "compiled"
        assert session._trainer.live.learner._epoch_loop is not None
    assert way_of(tmp_path / "run") == "compiled"


@pytest.mark.parametrize("name", STEPWISE)
def test_everything_else_takes_pytorchs_steps(tmp_path: Path, name: str) -> None:
    """Settings without a loop record stepwise; asking for the loop names the setting."""
    with Session(tiny(tmp_path / "run", **STEPWISE[name])) as session:
        assert session._trainer.live.learner._epoch_loop is None
    assert way_of(tmp_path / "run") == "stepwise"
    with pytest.raises(ConfigError, match="Cannot use `epoch_loop='compiled'`"):
        Session(tiny(tmp_path / "other", **STEPWISE[name], epoch_loop="compiled"))
    assert not (tmp_path / "other").exists()


def test_a_run_of_an_earlier_version_goes_on_stepwise(tmp_path: Path) -> None:
    """A configuration without the entry, of an earlier version, continues stepwise."""
    folder = tmp_path / "run"
    bitfold.train(tiny(folder, epochs=3, epoch_loop="stepwise"))
    file = folder / "config.toml"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("epoch_loop")))
    with Session.resume(folder, epochs=5) as session:
        for _ in session:
            pass
        assert session._trainer.live.learner._epoch_loop is None
    assert way_of(folder) is None
    whole = bitfold.train(tiny(tmp_path / "whole", epochs=5, epoch_loop="stepwise"))
    assert bitfold.load_run(folder).metrics["task_loss"] == whole.metrics["task_loss"]


@pytest.mark.parametrize("k", [WITH_K, STEPS], ids=["K", "steps"])
@pytest.mark.parametrize("way", ["compiled", "stepwise"])
def test_a_session_works_alike_with_both(tmp_path: Path, way: str, k: dict[str, Any]) -> None:
    """With either choice, changes, a restart, a branch and a replay give the same bits."""
    settings = {**k, "epoch_loop": way, "epochs": 12}
    with Session(tiny(tmp_path / "whole", **settings)) as session:
        _train_with_a_change(session)
    with Session(tiny(tmp_path / "parts", **settings)) as session:
        while session.epoch < 8:
            _step_with_a_change(session)
    with Session.resume(tmp_path / "parts") as session:
        _train_with_a_change(session)
    whole, parts = (bitfold.load_run(tmp_path / name) for name in ("whole", "parts"))
    assert parts.metrics["task_loss"] == whole.metrics["task_loss"]
    for one, two in zip(whole.network().parameters(), parts.network().parameters(), strict=True):
        assert torch.equal(one, two)
    again = whole.replay(tmp_path / "again")
    assert again.metrics["combined_loss"] == whole.metrics["combined_loss"]
    branch = whole.branch(7, tmp_path / "branch")
    assert branch.metrics["combined_loss"] == whole.metrics["combined_loss"][:7]
    assert way_of(tmp_path / "again") == way_of(tmp_path / "branch") == way


def _train_with_a_change(session: Session) -> None:
    while not session.is_over:
        _step_with_a_change(session)


def _step_with_a_change(session: Session) -> None:
    next(session)
    if session.epoch == 4 and session.run.config.learning_rate == TINY["learning_rate"]:
        session.change(learning_rate=0.02, optimizer="rmsprop", kolmogorov_weight=0.1)


def test_a_continued_run_cannot_change_its_way(tmp_path: Path) -> None:
    """A continued run cannot change its choice, which would change the last bits."""
    bitfold.train(tiny(tmp_path / "run", epochs=1))
    with pytest.raises(ConfigError, match="with another `epoch_loop`"):
        Session.resume(tmp_path / "run", epoch_loop="stepwise")


def test_the_setting_is_open_by_default() -> None:
    """The setting is open in a configuration, and opening a run decides it."""
    assert Config().epoch_loop is None
