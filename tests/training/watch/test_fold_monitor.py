"""Measures of folds in a run: their epochs, their points, and their state after a break."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import bitfold
from bitfold.polytopes import FOLD_MEASURES, LAYER_MEASURE, Plane, measure_folds, sample_patterns
from bitfold.training import Run, read_metrics
from bitfold.training.watch import fold_monitor
from tests.training.training_runs import WITH_K, assert_same_run, last_state, metrics_of, tiny

NAMES = {*FOLD_MEASURES, "pattern_flips", "bits_per_polytope"}

DOCS = Path(__file__).parents[3] / "docs"


def fold_names(line: dict[str, Any]) -> set[str]:
    """Return the names in a line that are measures of folds."""
    return {name for name in line if name in NAMES or name.startswith(LAYER_MEASURE)}


def measured_epochs(folder: Path) -> list[int]:
    """Return the epochs whose lines have measures of folds."""
    return [line["epoch"] for line in metrics_of(folder) if fold_names(line)]


def bits_of(run: Run, epoch: int, points: np.ndarray) -> np.ndarray:
    """Return the signs of all neurons at points, by the sampled engine."""
    patterns = sample_patterns(run.network(epoch), points)[1]
    bits = np.unpackbits(patterns.view(np.uint8), axis=1, bitorder="little")
    return bits[:, : sum(run.network(epoch).widths)]


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [
        ({"save_interval": "4"}, [4, 8, 12]),
        ({"save_interval": "geometric:3"}, [1, 3, 5, 10]),
        ({"measure_folds": 5}, [5, 10]),
        ({"measure_folds": 0}, []),
        ({"save_interval": "9"}, [9]),
    ],
)
def test_folds_are_measured_with_frames_or_every_n_epochs(
    tmp_path: Path, settings: dict[str, Any], epochs: list[int]
) -> None:
    """Folds are measured at scheduled epochs only, though the last epoch always has a frame."""
    bitfold.train(tiny(tmp_path / "run", **settings))
    assert measured_epochs(tmp_path / "run") == epochs


@pytest.mark.parametrize("settings", [{}, WITH_K, {"target": "rgb-ring"}], ids=["", "k", "rgb"])
def test_a_line_holds_what_the_network_of_its_epoch_measures(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Each measure is that of the trajectory's network at the training points."""
    run = bitfold.train(tiny(tmp_path / "run", save_interval="3", **settings))
    points = run.target.grid.coordinates(run.split.training)
    level = 0.0 if run.config.task == "classification" else 0.5
    columns = run.metrics
    for epoch in (3, 6, 12):
        line = {name: column[epoch - 1] for name, column in columns.items()}
        found = bitfold.partition(run.network(epoch), with_outputs=True)
        wanted = measure_folds(found, points, level=level).numbers()
        assert {name: line[name] for name in wanted} == wanted
        flips = (bits_of(run, epoch, points) != bits_of(run, epoch - 3, points)).mean()
        assert line["pattern_flips"] == pytest.approx(flips, abs=1e-12)
        if "kolmogorov_weight" in settings:
            bits = line["description_bits"]
            assert bits is not None
            assert line["bits_per_polytope"] == bits / found.num_polytopes
        else:
            assert line["bits_per_polytope"] is None
    assert any(columns["pattern_flips"][epoch - 1] for epoch in (3, 6, 12))


def test_columns_are_numbers_with_gaps(tmp_path: Path) -> None:
    """A column has a value an epoch, and None without a measurement, which NumPy reads as NaN."""
    run = bitfold.train(tiny(tmp_path / "run", shape="[6]*11", measure_folds=5))
    columns = bitfold.load_run(run.path).metrics
    layers = [name for name in columns if name.startswith(LAYER_MEASURE)]
    assert layers == [f"{LAYER_MEASURE}{number}" for number in range(1, 12)]
    for name in ["num_polytopes", *layers]:
        values = np.array(columns[name], float)
        assert np.flatnonzero(np.isfinite(values)).tolist() == [4, 9]
    text = (run.path / "metrics.jsonl").read_text()
    lines = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert not fold_names(lines[0])
    assert isinstance(lines[4]["num_polytopes"], int)


def test_lines_without_folds_are_read_as_before(tmp_path: Path) -> None:
    """The lines of a run without measures give empty columns."""
    (tmp_path / "m").write_text('{"epoch": 1, "task_loss": 0.5}\n')
    columns = read_metrics(tmp_path / "m")
    assert columns["task_loss"] == [0.5]
    assert all(columns[name] == [None] for name in NAMES)


@pytest.mark.parametrize(
    "settings",
    [
        {"measure_folds": 5},
        {"measure_folds": 7, **WITH_K},
        {"measure_folds": 1, "target": "rgb-ring", "save_interval": "10"},
        {"save_interval": "geometric:4", "activation": "abs"},
    ],
    ids=["5", "7-k", "rgb", "geometric"],
)
def test_a_continued_run_measures_what_an_uninterrupted_one_does(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """A continued run counts flips from the patterns before the break."""
    bitfold.train(tiny(tmp_path / "whole", **{**settings, "epochs": 30}))
    bitfold.train(tiny(tmp_path / "parts", **{**settings, "epochs": 12}))
    bitfold.resume(tmp_path / "parts", epochs=30)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    later = [line for line in metrics_of(tmp_path / "parts") if line["epoch"] > 12]
    assert [line["pattern_flips"] for line in later if fold_names(line)]


def test_flips_go_on_under_other_settings(tmp_path: Path) -> None:
    """A change of the optimiser resets watchdogs and keeps the patterns for flips."""
    bitfold.train(tiny(tmp_path / "run", measure_folds=5))
    run = bitfold.resume(tmp_path / "run", epochs=16, optimizer="sgd")
    points = run.target.grid.coordinates(run.split.training)
    flips = (bits_of(run, 15, points) != bits_of(run, 10, points)).mean()
    assert run.metrics["pattern_flips"][14] == pytest.approx(flips, abs=1e-12)


def test_measuring_can_begin_and_end_in_a_continued_run(tmp_path: Path) -> None:
    """If a continued run begins to measure, its first measurement has no flips."""
    path = tmp_path / "run"
    bitfold.train(tiny(path, measure_folds=0))
    assert not any(name.startswith("folds.") for name in last_state(path)[1])
    run = bitfold.resume(path, epochs=20, measure_folds=4)
    assert measured_epochs(path) == [16, 20]
    assert run.metrics["pattern_flips"][15] is None
    assert run.metrics["pattern_flips"][19] is not None
    bitfold.resume(path, epochs=30, measure_folds=0)
    assert measured_epochs(path) == [16, 20]


def test_measuring_changes_nothing_else(tmp_path: Path) -> None:
    """Measuring changes no bit of the weights and the other metrics."""
    for name, every in (("with", 1), ("without", 0)):
        bitfold.train(tiny(tmp_path / name, **WITH_K, measure_folds=every))
    lines = [
        [{n: v for n, v in line.items() if n not in fold_names(line)} for line in metrics_of(path)]
        for path in (tmp_path / "with", tmp_path / "without")
    ]
    assert lines[0] == lines[1]
    (_, one), (_, other) = last_state(tmp_path / "with"), last_state(tmp_path / "without")
    assert set(one) - set(other) == {"folds.patterns"}
    assert all(one[name] == other[name] for name in other)


@pytest.mark.parametrize("settings", [{"activation": "tanh"}, {"activation": "sine"}])
def test_a_smooth_network_has_no_folds(tmp_path: Path, settings: dict[str, Any]) -> None:
    """In a smooth network no folds are measured, and training is unchanged."""
    run = bitfold.train(tiny(tmp_path / "run", **settings))
    assert run.status["status"] == "completed"
    assert measured_epochs(run.path) == []


def test_a_sigmoid_at_the_end_folds_nothing(tmp_path: Path) -> None:
    """Folds are measured without a final sigmoid, whose boundary at 0.5 is at 0 before it."""
    settings = {"final_activation": "sigmoid", "measure_folds": 6, "learning_rate": 0.05}
    run = bitfold.train(tiny(tmp_path / "run", epochs=60, **settings))
    found = bitfold.partition(run.network(60).layers[:-1].eval(), with_outputs=True)
    points = run.target.grid.coordinates(run.split.training)
    wanted = measure_folds(found, points).numbers()
    assert "fold_boundary_distance" in wanted
    assert {name: run.metrics[name][59] for name in wanted} == wanted


def test_too_many_polytopes_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network of too many polytopes is not measured, and training continues."""
    monkeypatch.setattr(fold_monitor, "MAX_POLYTOPES", 3)
    run = bitfold.train(tiny(tmp_path / "run"))
    assert run.status["status"] == "completed"
    assert measured_epochs(run.path) == []


def test_wide_layers_lower_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is on polytopes times neurons of a layer, so that wide layers lower it."""
    monkeypatch.setattr(fold_monitor, "_MAX_NUMEL", 3 * 6)
    run = bitfold.train(tiny(tmp_path / "run"))
    assert measured_epochs(run.path) == []


def test_what_takes_long_is_measured_if_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folds that take too long to measure at frames are measured at a given interval."""
    monkeypatch.setattr(fold_monitor, "_MAX_WORK", 3 * 67)
    for name, every in (("by default", None), ("asked for", 6)):
        bitfold.train(tiny(tmp_path / name, measure_folds=every))
    assert measured_epochs(tmp_path / "by default") == []
    assert measured_epochs(tmp_path / "asked for") == [6, 12]


def test_a_clip_is_measured_on_its_middle_frame(tmp_path: Path) -> None:
    """A clip is measured at its middle frame, with that frame's points; flips use all points."""
    frames = [Image.fromarray(np.full((12, 12), 20 * k, np.uint8)) for k in range(5)]
    frames[2].paste(255, (3, 3, 9, 9))
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:], duration=50)
    run = bitfold.train(
        tiny(tmp_path / "run", target=str(tmp_path / "clip.gif"), points=400, measure_folds=4)
    )
    grid = run.target.grid
    assert (grid.is_clip, grid.num_frames) == (True, 5)
    points = grid.coordinates(run.split.training)
    on_plane = points[points[:, 2] == 0]
    assert 0 < len(on_plane) < len(points)
    plane = Plane(torch.zeros(3), torch.eye(3)[0], torch.eye(3)[1])
    found = bitfold.partition(run.network(12), plane=plane, with_outputs=True)
    wanted = measure_folds(found, on_plane[:, :2], level=0.5).numbers()
    assert {name: run.metrics[name][11] for name in wanted} == wanted
    flips = (bits_of(run, 12, points) != bits_of(run, 8, points)).mean()
    assert run.metrics["pattern_flips"][11] == pytest.approx(flips, abs=1e-12)


def test_many_points_are_thinned_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If 20 patterns may be kept, those of every third of 50 points are kept."""
    monkeypatch.setattr(fold_monitor, "MAX_PATTERN_POINTS", 20)
    run = bitfold.train(tiny(tmp_path / "run", measure_folds=6))
    points = run.target.grid.coordinates(run.split.training)[::3]
    flips = (bits_of(run, 12, points) != bits_of(run, 6, points)).mean()
    assert run.metrics["pattern_flips"][11] == pytest.approx(flips, abs=1e-12)


def test_every_name_is_documented_and_the_page_s_example_runs() -> None:
    """Every measure is documented, and the page's example runs."""
    for page in ("run-folder.md", "measures.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        assert not [name for name in NAMES if f"`{name}`" not in text], page
        assert f"`{LAYER_MEASURE}" in text
    result = doctest.testfile(str(DOCS / "measures.md"), module_relative=False, encoding="utf-8")
    assert (result.failed, result.attempted > 5) == (0, True)
