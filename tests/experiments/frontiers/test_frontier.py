"""`bitfold.experiments.frontier`: a curve of networks from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitfold import Config, load_run, load_sweep
from bitfold.errors import ConfigError, RunError
from bitfold.experiments import (
    FrontierEvent,
    Goal,
    MemberEnded,
    PointEnded,
    PointStarted,
    frontier,
    load_frontier,
)
from bitfold.training import EpochEnded, RunEnded, RunStarted

CONFIG = Config(
    target="disk", size=16, shape="[3]", points=60, validation_points=20, batch_size=60,
    epochs=2, measure_folds=0, audit=False, save_interval="1000",
)  # fmt: skip


def test_listeners_hear_of_each_network_and_of_all_its_training(tmp_path: Path) -> None:
    """Listeners hear a start, the run's events and an end for each network; the result has all."""
    events: list[FrontierEvent] = []
    found = frontier(CONFIG, [0.01, 0.1], [0, 3], tmp_path / "curve", listeners=[events.append])
    kinds = [type(event) for event in events]
    assert kinds.count(PointStarted) == kinds.count(PointEnded) == kinds.count(RunEnded) == 4
    assert kinds.count(EpochEnded) == 8
    assert kinds[:2] == [PointStarted, RunStarted]
    assert kinds[-2:] == [RunEnded, PointEnded]
    started = [event for event in events if isinstance(event, PointStarted)]
    assert [(one.number, one.num_missing) for one in started] == [(n, 4) for n in (1, 2, 3, 4)]
    assert [(p.kolmogorov_weight, p.seed) for p in found.points] == [
        (0.01, 0), (0.1, 0), (0.01, 3), (0.1, 3),
    ]  # fmt: skip
    assert found.exit_code == 0
    assert load_run(found.path / found.points[3].run).config.seed == 3


def test_a_second_call_trains_what_is_missing_and_keeps_the_goal(tmp_path: Path) -> None:
    """A second call trains only the missing lambdas, refuses other settings and keeps the goal."""
    first = frontier(CONFIG, [0.01], folder=tmp_path / "curve", goal=Goal(psnr_db=1))
    assert first.record.goal.error == pytest.approx(10**-0.1)
    events: list[FrontierEvent] = []
    second = frontier(CONFIG, [0.1], folder=tmp_path / "curve", listeners=[events.append])
    assert sum(isinstance(event, PointStarted) for event in events) == 1
    assert second.points[0] == first.points[0]
    assert second.record.goal == first.record.goal
    assert load_frontier(tmp_path / "curve").record == second.record
    with pytest.raises(ConfigError, match="epochs"):
        frontier(CONFIG.replace(epochs=3), folder=tmp_path / "curve")


def test_what_cannot_be_trained_leaves_nothing(tmp_path: Path) -> None:
    """A missing lambda, a wrong lambda or seed, or decibels of classes leave no file."""
    folder, classes = tmp_path / "curve", CONFIG.replace(task="classification")
    for config, lambdas, seeds, goal in (
        (CONFIG, [], [0], None),
        (CONFIG, [-1.0], [0], None),
        (CONFIG, [0.1], [-1], None),
        (classes, [0.1], [0], Goal(psnr_db=20)),
    ):
        with pytest.raises(ConfigError):
            frontier(config, lambdas, seeds, folder, goal=goal)
    with pytest.raises(RunError, match=r"expected frontier\.json"):
        load_frontier(folder)
    assert not folder.exists()


def test_a_frontier_is_a_sweep_over_lambda_and_seed(tmp_path: Path) -> None:
    """A frontier trained side by side as a sweep has the same bytes; the old record stays."""
    one = frontier(CONFIG, [0.01, 0.1], [0, 3], tmp_path / "one")
    events: list[FrontierEvent] = []
    two = frontier(CONFIG, [0.01, 0.1], [0, 3], tmp_path / "two", jobs=2, listeners=[events.append])
    assert sum(isinstance(event, MemberEnded) for event in events) == 4
    assert sum(isinstance(event, EpochEnded) for event in events) == 0
    assert two.record == one.record
    assert (two.path / "frontier.json").read_bytes() == (one.path / "frontier.json").read_bytes()
    for found in (one, two):
        sweep = load_sweep(found.path)
        assert sweep.exit_code == 0
        assert sweep.table["num_bytes"] == [point.num_bytes for point in found.points]
        assert sweep.table["kolmogorov_weight"] == [0.01, 0.1, 0.01, 0.1]
        assert sweep.table["last_epoch"] == [2] * 4
