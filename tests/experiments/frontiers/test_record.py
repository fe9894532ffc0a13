"""``frontier.json``, the front, and the best network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitfold.errors import RunError
from bitfold.experiments import FrontierPoint, FrontierRecord, Goal, pareto_front
from bitfold.experiments.frontiers.record import best_point, read_record

RECORD = FrontierRecord(
    {"target": "ring"}, (0.1, "bits:900"), (0,),
    (
        FrontierPoint(0.1, 0, "lambda-0.1-seed-0", "completed", "a.bitfold", 90, 0.25, 6.0, 700.0),
        FrontierPoint("bits:900", 0, "bits-900-seed-0", "loop"),
    ),
    Goal(error=0.5),
)  # fmt: skip


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Settings, lambdas, seeds, points and goal are read as they were written."""
    RECORD.write(tmp_path)
    assert read_record(tmp_path) == RECORD
    assert RECORD.missing() == []
    assert RECORD.best() == RECORD.points[0]
    assert read_record(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "bitfold frontier", "version": 2}', "null", "\x00"]
)
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    """A damaged record is named in the error and is not overwritten."""
    (tmp_path / "frontier.json").write_text(text)
    with pytest.raises(RunError, match=r"frontier\.json: expected the record"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"num_bytes": None}, {"error": "small"}, {"error": -0.25}, {"num_bytes": -1},
        {"run": "../elsewhere"}, {"seed": "0"},
        {"more": 1}, {"status": "stagnation"},
    ],
)  # fmt: skip
def test_a_record_with_a_wrong_point_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    """The sizes, errors and paths of a record's points are checked before they are used."""
    RECORD.write(tmp_path)
    found = json.loads((tmp_path / "frontier.json").read_text())
    found["points"][0] |= change
    (tmp_path / "frontier.json").write_text(json.dumps(found))
    with pytest.raises(RunError, match="expected the record of a frontier"):
        read_record(tmp_path)


@pytest.mark.parametrize("name", ["kolmogorov_weights", "seeds"])
def test_a_record_without_lambdas_or_seeds_is_named(tmp_path: Path, name: str) -> None:
    """A frontier begins with at least one of each."""
    RECORD.write(tmp_path)
    found = json.loads((tmp_path / "frontier.json").read_text())
    (tmp_path / "frontier.json").write_text(json.dumps({**found, name: []}))
    with pytest.raises(RunError, match="no lambda, or no seed"):
        read_record(tmp_path)


# On a busy machine drawing takes longer than Hypothesis allows by default.
UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow])
MEASURES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 40).map(lambda error: error / 40)), max_size=30
)


def points_of(measures: list[tuple[int, float]]) -> list[FrontierPoint]:
    """Return a point for each size and error, and a point without a file."""
    made = [
        FrontierPoint(1.0, seed, f"run-{seed}", "completed", "file", *both)
        for seed, both in enumerate(measures)
    ]
    return [*made, FrontierPoint(1.0, 99, "lost", "loop")]


@UNHURRIED
@given(MEASURES)
def test_the_front_is_what_no_other_point_beats(measures: list[tuple[int, float]]) -> None:
    """The front holds exactly the points that no other point beats, by comparing every pair."""
    naive = {
        (size, error)
        for size, error in measures
        if not any((n <= size and e <= error) and (n, e) != (size, error) for n, e in measures)
    }
    front = pareto_front(points_of(measures))
    assert {point.measure for point in front} == naive
    assert [point.num_bytes for point in front] == sorted(size for size, _ in naive)


@UNHURRIED
@given(MEASURES, st.integers(1, 40), st.integers(0, 40))
def test_the_best_is_on_the_front_and_meets_what_is_asked(
    measures: list[tuple[int, float]], size: int, error: int
) -> None:
    """The best point meets the limit: least error, fewest bytes, or the least product of both."""
    points = points_of(measures)
    front = {point.measure for point in pareto_front(points)}
    for goal, fits in (
        (Goal(size), [m for m in measures if m[0] <= size]),
        (Goal(error=error / 40), [m for m in measures if m[1] <= error / 40]),
        (Goal(), [m for m in measures if m[1] <= 2 * min(e for _, e in measures)]),
    ):
        best = best_point(points, goal)
        assert (best is None) == (not fits)
        if best is not None:
            assert best.measure in front
            assert best.measure in fits


def test_a_blank_picture_is_never_the_best() -> None:
    """A tiny file with a large error never wins by its product over a file that shows something."""
    points = points_of([(179, 0.25), (2000, 0.03), (5000, 0.02), (9000, 0.018)])
    best = best_point(points, Goal())
    assert best is not None
    assert best.num_bytes == 2000
