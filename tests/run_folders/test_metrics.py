"""The numbers of a stranger's run are checked while they are read, in bounded memory."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest

import bitfold
from bitfold.training.store import metrics_log
from tests.run_folders.stranger_runs import Call, Place

MOST_SECONDS, MOST_BYTES = 5.0, 2**25

#: Bad task losses of the second line, and their errors.
WRONG_VALUES = {
    "text": ('"low"', "expected a number or null as task_loss, got 'low'"),
    "list": ("[1]", "expected a number or null as task_loss, got a list"),
    "object": ('{"a": 1}', "expected a number or null as task_loss, got an object"),
    "truth": ("true", "expected a number or null as task_loss, got True"),
    "integer": ("9" * 400, "expected a number or null as task_loss, got a longer integer"),
    "large": ("1e308", "expected a number or null as task_loss, got 1e+308"),
    "infinity": ("1e999", "expected a number or null as task_loss, got inf"),
    "escapes": (r'"\u001b[2J"', r"got '\x1b[2J'"),
    "long text": (f'"{"a" * 5000}"', "got 'aaaaaaaa"),
    "many names": ("1" + "".join(f', "n{n}": 1' for n in range(10**6)), "at most 65,536 bytes"),
    "epoch": ('1, "epoch": 1e3', ""),  # an epoch as a float makes the line another program's
    "far epoch": (f'1, "epoch": {2**80}', "expected an epoch of 0 to 1,000,000,000, got 12089"),
}


@pytest.mark.parametrize("command", ["plot", "report"])
@pytest.mark.parametrize("name", WRONG_VALUES)
def test_a_value_that_is_no_measurement_is_refused(
    name: str, command: str, place: Place, call: Call
) -> None:
    """A bad value is refused with its line's number, and foreign lines are passed over."""
    value, expected = WRONG_VALUES[name]
    path = place.run / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    loss = json.dumps(json.loads(lines[1])["task_loss"])
    lines[1] = lines[1].replace(f'"task_loss": {loss}', f'"task_loss": {value}')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = call(command, place.run)
    if not expected:
        assert (said.code, len(bitfold.load_run(place.run).metrics["epoch"])) == (0, 3)
        return
    assert said.is_refused(), said
    assert "metrics.jsonl: line 2 is no line of metrics (" in said.err
    assert expected in said.err
    assert place.is_untouched()


@pytest.mark.parametrize(("num_bytes", "expected"), [
    (2**30, "line 5 is no line of metrics (expected at most 65,536 bytes, got more)"),
    (2**40, "expected at most 1,073,741,824 bytes, got 1,099,511,627,776"),
])  # fmt: skip
def test_a_line_without_end_costs_nothing(
    num_bytes: int, expected: str, place: Place, call: Call
) -> None:
    """Over a gigabyte of sparse zeros after the last line takes little memory."""
    with (place.run / "metrics.jsonl").open("r+b") as file:
        file.truncate(num_bytes)
    call("plot", place.here)  # imports everything
    start = time.process_time()
    tracemalloc.start()
    said = call("plot", place.run)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said.is_refused(), said
    assert expected in said.err
    assert time.process_time() - start < MOST_SECONDS
    assert peak < MOST_BYTES


def test_the_number_of_values_is_bounded(
    place: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many layers are refused, because each layer takes a value in all later lines."""
    monkeypatch.setattr(metrics_log, "_MAX_VALUES", 10_000)
    path = place.run / "metrics.jsonl"
    layers = {f"fold_length_per_area_layer_{number}": 1 for number in range(1, 1000)}
    first = json.dumps({"epoch": 1, **layers, "anything": 3})
    path.write_text(first + '\n{"epoch": 2}' * 20 + "\n", encoding="utf-8")
    said = call("plot", place.run)
    assert said.is_refused(), said
    assert "expected at most 10,000 values, got 11,000 up to line 11." in said.err
