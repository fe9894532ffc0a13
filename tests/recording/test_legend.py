"""The legend of a frame shows the setting of lambda and its value."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitfold.recording.legend import legend_of
from bitfold.training import Moment, TrajectoryReader, train
from tests.recording.tiny_runs import tiny


@pytest.mark.parametrize("weight", ["mdl", "bits:20000"])
def test_a_lambda_that_moves_is_shown_as_it_is(tmp_path: Path, weight: str) -> None:
    """The label has the setting and the value is the epoch's; epoch 0 has no value."""
    run = train(tiny(tmp_path / "run", kolmogorov_weight=weight))
    reader = TrajectoryReader(run.folder.trajectory)
    moments: list[Moment] = list(reader.moments())
    reader.close()
    shown = [dict(legend_of(run, moment, [7]))[f"lambda, {weight}"] for moment in moments]
    used = run.metrics["kolmogorov_weight"]
    assert shown[0] == "-"
    assert float(shown[-1]) == pytest.approx(used[-1], rel=0.01)
    labels = [[label for label, _ in legend_of(run, moment, [7])] for moment in moments]
    assert labels[0] == labels[-1]


def test_a_number_is_shown_as_it_was_given(tmp_path: Path) -> None:
    """A constant lambda is shown as given, even before the first epoch."""
    run = train(tiny(tmp_path / "run", kolmogorov_weight=0.0125, epochs=1))
    assert ("lambda", "0.0125") in legend_of(run, Moment(0, {}, {}), [7])
