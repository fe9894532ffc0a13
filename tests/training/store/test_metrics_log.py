"""``metrics.jsonl``: whole lines, which a continued run cuts at its epoch."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from bitfold.training import METRIC_NAMES, Metrics, read_metrics
from bitfold.training.store.metrics_log import MetricsLog


def line(epoch: int) -> Metrics:
    """Return metrics of an epoch."""
    return {"epoch": epoch, "task_loss": 1 / epoch, "kolmogorov_loss": None, "seconds": 0.1}


def log(path: Path, epochs: range, keep_until: int = 10**9) -> None:
    """Write a line for each epoch."""
    metrics = MetricsLog(path, keep_until=keep_until)
    for epoch in epochs:
        metrics.append(line(epoch))
    metrics.sync()
    metrics.close()


def test_what_was_written_is_read_as_columns(tmp_path: Path) -> None:
    """Each documented name has one value an epoch, or None where it is missing."""
    log(tmp_path / "m", range(1, 4))
    columns = read_metrics(tmp_path / "m")
    assert tuple(columns) == METRIC_NAMES
    assert columns["epoch"] == [1, 2, 3]
    assert columns["task_loss"] == [1, 1 / 2, 1 / 3]
    assert columns["accuracy"] == columns["kolmogorov_loss"] == [None] * 3


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    """A missing file gives empty columns."""
    assert set(map(len, read_metrics(tmp_path / "m").values())) == {0}


@pytest.mark.parametrize("keep_until", [0, 1, 3, 5, 9])
def test_later_lines_are_cut_off(tmp_path: Path, keep_until: int) -> None:
    """A continued run keeps exactly the bytes that its checkpoint knew."""
    log(tmp_path / "m", range(1, 6))
    lines = (tmp_path / "m").read_bytes().splitlines(keepends=True)
    metrics = MetricsLog(tmp_path / "m", keep_until=keep_until)
    metrics.close()
    assert (tmp_path / "m").read_bytes() == b"".join(lines[:keep_until])
    assert metrics.last == (json.loads(lines[min(keep_until, 5) - 1]) if keep_until else {})


def test_a_torn_last_line_is_passed_over_and_cut_off(tmp_path: Path) -> None:
    """For any torn last line, the lines before it are read and continued."""
    path = tmp_path / "m"
    log(path, range(1, 4))
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    for length in range(len(last)):
        path.write_bytes(whole[: len(whole) - len(last) + length])
        assert read_metrics(path)["epoch"] == [1, 2]
        log(path, range(3, 4))
        assert path.read_bytes() == whole


def test_a_damaged_line_does_not_hide_the_others(tmp_path: Path) -> None:
    """Damaged lines are skipped anywhere in the file."""
    path = tmp_path / "m"
    log(path, range(1, 3))
    with path.open("ab") as file:
        file.write(b'{"epoch": \n[1]\n\xff\xfe\n{"epoch": "x"}\n\0\0\0\n')
    log(path, range(3, 4))
    assert read_metrics(path)["epoch"] == [1, 2, 3]


def test_a_value_that_is_not_finite_becomes_null(tmp_path: Path) -> None:
    """A value that is not finite becomes null, so that every line is standard JSON."""
    metrics = MetricsLog(tmp_path / "m", keep_until=0)
    metrics.append({"epoch": 1, "task_loss": math.nan, "psnr_db": -math.inf, "seconds": 1.5})
    metrics.close()
    text = (tmp_path / "m").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "epoch": 1,
        "task_loss": None,
        "psnr_db": None,
        "seconds": 1.5,
    }
