"""Each line of a stranger's record of changes is checked."""

from __future__ import annotations

import json
import time

import pytest

import bitfold
from bitfold.training.store.changes import MAX_BYTES, MOST_AT_ONCE
from tests.run_folders.stranger_runs import Call, Place

RATE = {"epoch": 3, "settings": {"learning_rate": 0.1}, "before": {"learning_rate": 0.001}}
MOST_SECONDS = 8.0

#: Bad second lines, after a correct first line.
WRONG = {
    "deep": "[" * 10**5,
    "a text": "hello",
    "a list": "[1]",
    "no epoch": json.dumps({"settings": {}}),
    "far epoch": json.dumps({**RATE, "epoch": 2**80}),
    "infinite epoch": '{"epoch": Infinity}',
    "earlier epoch": json.dumps({**RATE, "epoch": 2}),
    "truth": json.dumps({**RATE, "epoch": True}),
    "another field": json.dumps({**RATE, "code": "1"}),
    "another setting": json.dumps({"epoch": 3, "settings": {"a": 1}, "before": {"a": 2}}),
    "a place": json.dumps(
        {"epoch": 3, "settings": {"snapshot_dir": "/tmp"}, "before": {"snapshot_dir": "a"}}
    ),
    "the shape": json.dumps({"epoch": 3, "settings": {"shape": "[9]"}, "before": {"shape": "[4]"}}),
    "a list for a number": json.dumps({**RATE, "settings": {"learning_rate": [1]}}),
    "a text before": json.dumps({**RATE, "before": {"learning_rate": "\x1b[2J"}}),
    "nothing before": json.dumps({**RATE, "before": {}}),
    "a target that is none": json.dumps({"epoch": 3, "target": "../outside"}),
    "a negative target": json.dumps({"epoch": 3, "target": -1}),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_line_that_is_no_change_is_refused(name: str, place: Place, call: Call) -> None:
    """A bad line is refused by its number, by commands that train and draw; the run stays."""
    path = place.run / "changes.jsonl"
    path.write_text(json.dumps(RATE) + "\n" + WRONG[name] + "\n", encoding="utf-8")
    before = place.files()
    for words in (["resume", "--epochs", "6"], ["render"]):
        said = call(words[0], place.run, *words[1:])
        assert said.is_refused(), said
        assert "changes.jsonl: expected a change in line 2, got" in said.err
    assert place.files() == before
    assert place.is_untouched()


@pytest.mark.parametrize("number", [1, 10**15])
def test_a_target_that_is_missing_is_named(number: int, place: Place, call: Call) -> None:
    """A missing target is named, and its number leads only to a file within the run."""
    line = json.dumps({"epoch": 3, "target": number})
    (place.run / "changes.jsonl").write_text(line + "\n", encoding="utf-8")
    said = call("render", place.run)
    assert said.is_refused(), said
    assert f"target-{number:04d}.safetensors" in said.err
    assert place.is_untouched()


def test_as_many_changes_as_a_file_can_hold_cost_little(place: Place) -> None:
    """With as many changes as allowed, the last one counts and those of later epochs are undone."""
    length = len(_line(1000))
    count = MAX_BYTES // length
    path = place.run / "changes.jsonl"
    path.write_text("".join(_line(1000 + n // MOST_AT_ONCE) for n in range(count)))
    start = time.process_time()
    run = bitfold.load_run(place.run)
    assert len(run.changes.items) == count > 10_000
    assert (run.config.learning_rate, run.at(2).config.learning_rate) == (0.1, 0.001)
    assert time.process_time() - start < MOST_SECONDS
    path.write_text(_line(1000) * (count + 1), encoding="utf-8")
    with pytest.raises(bitfold.BitfoldError, match="expected at most 1,048,576 bytes"):
        bitfold.load_run(place.run)


def test_more_changes_before_an_epoch_than_a_person_makes_are_refused(
    place: Place, call: Call
) -> None:
    """Too many changes before an epoch are refused; strokes under other strokes do not count."""
    path = place.run / "changes.jsonl"
    path.write_text(_line(5) * (MOST_AT_ONCE + 1), encoding="utf-8")
    said = call("resume", place.run, "--epochs", "6")
    assert said.is_refused(), said
    assert f"expected at most {MOST_AT_ONCE} changes before epoch 5, got more" in said.err
    strokes = "".join(json.dumps({"epoch": 5, "target": n}) + "\n" for n in range(1, 20_000))
    path.write_text(_line(5) * (MOST_AT_ONCE - 1) + strokes, encoding="utf-8")
    assert len(bitfold.load_run(place.run).changes.items) == MOST_AT_ONCE - 1 + 19_999
    assert place.is_untouched()


def _line(epoch: int) -> str:
    return json.dumps({**RATE, "epoch": epoch}) + "\n"
